package hostcheck

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

var hosts = []struct {
	host  string
	local bool
}{
	{"localhost", true},
	{"localhost:16686", true},
	{"localhost.", true},
	{"localhost.:16686", true},
	{"LocalHost:16686", true},
	{"LOCALHOST.", true},
	{"localhost:", true}, // RFC 3986 permits an empty port.
	{"jaeger.localhost:16686", true},
	{"a.b.localhost", true},
	{"127.0.0.1", true},
	{"127.0.0.1:16686", true},
	{"127.255.255.254:1", true},
	{"0.0.0.0:16686", true},
	{"10.0.2.2:16686", true}, // For example the host of a virtual machine. An address has no name to rebind.
	{"192.168.0.7", true},
	{"[::1]", true},
	{"[::1]:16686", true},
	{"[0:0:0:0:0:0:0:1]:16686", true},
	{"[::ffff:127.0.0.1]:16686", true},
	{"[fd00::1]:16686", true},

	{"", false},
	{":16686", false},
	{".", false},
	{".localhost", false},
	{"..localhost", false},
	{"localhost..", false},
	{"evil.example", false},
	{"evil.example:16686", false},
	{"evil.example.", false},
	{"localhost.evil.example", false},
	{"evillocalhost", false},
	{"localhost-evil.example", false},
	{"127.0.0.1.evil.example:16686", false},
	{"127.0.0.1.nip.io", false},
	{"127-0-0-1.evil.example", false},
	{"xn--loclhost-9za", false},  // Punycode of localhost with another a.
	{"xn--lcalhost-9jb.", false}, // The same with another o.
	{"lоcalhost", false},         // A Cyrillic о.
	{"ｌocalhost", false},         // A full-width l, which browsers map to l before they send it.
	{"localhost@evil.example", false},
	{"localhost:16686@evil.example", false},
	{"127.0.0.1@evil.example", false},
	{"user:password@localhost", false},
	{"evil.example#localhost", false},
	{"evil.example/localhost", false},
	{"evil.example?.localhost", false},
	{"evil.example\\.localhost", false},
	{"evil.example .localhost", false},
	{" localhost", false},
	{"localhost ", false},
	{"localhost,evil.example", false},
	{"localhost\x00.evil.example", false},
	{"localhost:16686:80", false},
	{"localhost:-1", false},
	{"localhost:+1", false},
	{"localhost:65536", false},
	{"localhost:http", false},
	{"127.0.0.1.", false}, // Browsers send addresses in one form.
	{"127.1", false},
	{"2130706433", false},
	{"0x7f000001", false},
	{"0177.0.0.1", false},
	{"127.0.0.256", false},
	{"::1", false},
	{"[::1", false},
	{"::1]", false},
	{"[]", false},
	{"[localhost]", false},
	{"[127.0.0.1]", false},
	{"[::1%25eth0]", false},
	{"[fe80::1%eth0]", false},
	{"[::1].evil.example", false},
	{"[::1]evil.example:1", false},
	{"[::1]:", true},
	{"[::1]:x", false},
	{"host.docker.internal:16686", false},
}

func TestLocal(t *testing.T) {
	t.Parallel()
	for _, test := range hosts {
		if got := Local(test.host); got != test.local {
			t.Errorf("Local(%q) = %t, want %t", test.host, got, test.local)
		}
	}
}

// Whatever Local accepts, a URL with that host leads to an address or to localhost.
func FuzzLocal(f *testing.F) {
	for _, test := range hosts {
		f.Add(test.host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !Local(host) {
			return
		}
		parsed, err := url.Parse("http://" + host + "/")
		if err != nil {
			t.Fatalf("Local(%q) = true, but it is not a host: %v", host, err)
		}
		name := parsed.Hostname()
		_, err = netip.ParseAddr(name)
		name = strings.TrimSuffix(strings.ToLower(name), ".")
		if parsed.User != nil || err != nil && name != "localhost" && !strings.HasSuffix(name, ".localhost") {
			t.Errorf("Local(%q) = true, but a browser goes to %q", host, parsed.Host)
		}
	})
}

// proxied returns the address of a proxy in front of a handler.
func proxied(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	behind := httptest.NewServer(handler)
	t.Cleanup(behind.Close)
	target, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(Proxy(target, "user", "password"))
	t.Cleanup(front.Close)
	return front.Listener.Addr().String()
}

// exchange sends bytes and returns the answer's status and body.
func exchange(t *testing.T, address, request string) (int, string) {
	t.Helper()
	var dialer net.Dialer
	connection, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// The host of an absolute request target replaces the Host header (RFC 9112, section 3.2.2).
func TestProxyChecksEachFormOfRequest(t *testing.T) {
	t.Parallel()
	address := proxied(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "secret") })
	for _, test := range []struct {
		request string
		want    int
	}{
		{"GET / HTTP/1.1\r\nHost: localhost\r\n", 200},
		{"GET /api/v3/services HTTP/1.1\r\nhost:127.0.0.1:16686\r\n", 200},
		{"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n", 200},
		{"GET http://[::1]:1/ HTTP/1.1\r\nHost: evil.example\r\n", 200},
		{"GET / HTTP/1.1\r\nHost: evil.example\r\n", 421},
		{"POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n", 421},
		{"OPTIONS /api/v3/services HTTP/1.1\r\nHost: evil.example\r\n", 421},
		{"GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\nForwarded: host=localhost\r\n", 421},
		{"GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://localhost:16686\r\nReferer: http://localhost/\r\n", 421},
		{"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n", 421},
		{"GET http://localhost@evil.example/ HTTP/1.1\r\nHost: localhost\r\n", 421},
		{"GET http://evil.example@evil.example:80/ HTTP/1.1\r\nHost: localhost\r\n", 421},
		{"GET //localhost/ HTTP/1.1\r\nHost: evil.example\r\n", 421},
		{"CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n", 421},
		{"GET / HTTP/1.0\r\n", 421},
		{"GET / HTTP/1.0\r\nHost: evil.example\r\n", 421},
		{"GET / HTTP/1.1\r\nHost:\r\n", 421},
		{"GET / HTTP/1.1\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: evil.example\r\nHost: localhost\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: localhost, evil.example\r\n", 400},
		{"GET / HTTP/1.1\r\nHost : localhost\r\n", 400},
	} {
		got, body := exchange(t, address, test.request+"Connection: close\r\n\r\n")
		if got != test.want || (got == 200) != (body == "secret") {
			t.Errorf("%q answers %d %q, want %d", test.request, got, body, test.want)
		}
		if got == 421 && !strings.Contains(body, "DNS rebinding") {
			t.Errorf("%q answers %q, want the reason", test.request, body)
		}
	}
}

// Jaeger's base path, escaped paths and queries arrive as they were sent, with the password of the proxy.
func TestProxyPassesRequests(t *testing.T) {
	t.Parallel()
	address := proxied(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		fmt.Fprint(w, user, " ", password, " ", r.RequestURI)
	})
	for _, path := range []string{"/", "/jaeger/ui/api/traces?service=a&tags=%7B%22x%22%3A1%7D", "/trace/%3Cimg%20src=x%3E", "/a%2Fb//c", "/search?a=b;c"} {
		got, body := exchange(t, address, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic eDp5\r\nConnection: close\r\n\r\n")
		if got != 200 || body != "user password "+path {
			t.Errorf("%s: %d %q", path, got, body)
		}
	}
}

func TestProxyStreamsLargeAnswers(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	more := make(chan struct{})
	address := proxied(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "first")
		_ = http.NewResponseController(w).Flush() // The client waits for it.
		<-more
		block := make([]byte, 1<<20)
		for range size / len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, len("first"))
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "first" {
		t.Fatalf("%q, %v", first, err)
	}
	close(more)
	if n, err := io.Copy(io.Discard, response.Body); n != size || err != nil {
		t.Errorf("%d bytes, %v, want %d", n, err, size)
	}
}

func TestProxyUpgradesConnections(t *testing.T) {
	t.Parallel()
	address := proxied(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "websocket")
		w.WriteHeader(http.StatusSwitchingProtocols)
		connection, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer connection.Close()
		line, _ := buffered.ReadString('\n') // An error is an empty echo.
		_, _ = io.WriteString(connection, "echo "+line)
	})
	var dialer net.Dialer
	connection, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprint(connection, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", response, err)
	}
	defer response.Body.Close()
	fmt.Fprint(connection, "hello\n")
	if line, err := reader.ReadString('\n'); line != "echo hello\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestProxyWithoutTarget(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	target, err := url.Parse(closed.URL)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	recorder := httptest.NewRecorder()
	Proxy(target, "", "").ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", http.NoBody))
	if recorder.Code != http.StatusBadGateway || !strings.Contains(recorder.Body.String(), target.Host+" does not answer") {
		t.Errorf("%d %q", recorder.Code, recorder.Body)
	}
}
