package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/pki"
)

// rig is an API server behind a proxy.
type rig struct {
	authority *pki.Authority
	options   Options
	wrap      func(http.RoundTripper) http.RoundTripper
}

// newRig starts a server with certificates of an authority, and returns the options of its proxy.
func newRig(tb testing.TB, handler http.Handler) *rig {
	tb.Helper()
	authority, _, err := pki.Store{Dir: tb.TempDir()}.Authority("ca")
	if err != nil {
		tb.Fatal(err)
	}
	r := &rig{authority: authority}
	upstream := r.certificate(tb, pki.Request{Name: "server", CommonName: "server", Hosts: []string{"127.0.0.1"}, Server: true})
	config, err := serverTLS(Options{
		Certificate: upstream.CertFile, Key: upstream.KeyFile, ClientCA: authority.CertFile,
		Upstream: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CertFile: "any"}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS, server.EnableHTTP2 = config, true
	server.StartTLS()
	tb.Cleanup(server.Close)
	pair := r.certificate(tb, pki.Request{Name: "proxy", CommonName: "proxy", Hosts: []string{"127.0.0.1"}, Server: true})
	r.options = Options{
		Upstream:    &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAFile: authority.CertFile}},
		Certificate: pair.CertFile, Key: pair.KeyFile, ClientCA: authority.CertFile,
	}
	return r
}

func (r *rig) certificate(tb testing.TB, request pki.Request) *pki.Pair {
	tb.Helper()
	pair, _, err := r.authority.Certificate(request)
	if err != nil {
		tb.Fatal(err)
	}
	return pair
}

// start starts the proxy, and returns a client of it.
func (r *rig) start(tb testing.TB, credentials rest.Config) (*http.Client, string) {
	tb.Helper()
	p, err := Start(tb.Context(), r.options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	p.Use(r.wrap)
	return r.client(tb, credentials), p.URL()
}

func (r *rig) client(tb testing.TB, config rest.Config) *http.Client {
	tb.Helper()
	config.CAFile = r.authority.CertFile
	client, err := rest.HTTPClientFor(&config)
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

func get(tb testing.TB, client *http.Client, url string) (*http.Response, error) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return client.Do(request)
}

// TestPassesThrough compares requests and answers on both sides of the proxy.
func TestPassesThrough(t *testing.T) {
	t.Parallel()
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header()["X-Several"] = []string{"a", "b"}
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintln(w, r.Proto, r.Method, r.RequestURI, string(body))
		for _, name := range []string{"Authorization", "Accept", "Content-Type", "User-Agent", "X-Forwarded-For"} {
			fmt.Fprintln(w, name, r.Header.Values(name))
		}
	}))
	client, url := r.start(t, rest.Config{BearerToken: "operators-token", UserAgent: "operator"})
	ask := func(server string) (http.Header, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, server+"/apis/a.b/v1/c?fieldManager=x%2Fy&dryRun=&watch;a=b", strings.NewReader(`{"a":1}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/apply-patch+yaml")
		request.Header.Set("Accept", "application/json, */*")
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.ProtoMajor != 2 || answer.StatusCode != http.StatusConflict {
			t.Errorf("%s answers with HTTP/%d and status %d, want HTTP/2 and 409", server, answer.ProtoMajor, answer.StatusCode)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		answer.Header.Del("Date")
		return answer.Header, string(body)
	}
	wantHeader, want := ask(r.options.Upstream.Host)
	header, got := ask(url)
	if got != want || !strings.Contains(got, "Bearer operators-token") || fmt.Sprint(header) != fmt.Sprint(wantHeader) {
		t.Errorf("through the proxy: %v\n%s\nwant %v\n%s", header, got, wantHeader, want)
	}
}

// TestStreams reads an event of a watch while the server waits for the reader.
func TestStreams(t *testing.T) {
	t.Parallel()
	read := make(chan struct{})
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			fmt.Fprintf(w, "event %d\n", i)
			w.(http.Flusher).Flush()
			select {
			case <-read:
			case <-r.Context().Done():
				return
			}
		}
	}))
	client, url := r.start(t, rest.Config{})
	answer, err := get(t, client, url+"/api/v1/pods?watch=true")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for i := range 3 {
		if want := fmt.Sprintf("event %d", i); !lines.Scan() || lines.Text() != want {
			t.Fatalf("the watch has %q, want %q", lines.Text(), want)
		}
		read <- struct{}{}
	}
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("after the last event: %q, %v; want the end", lines.Text(), lines.Err())
	}
}

type failing struct{ inner http.RoundTripper }

func (f failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/cut") {
		return nil, errors.New("a fault")
	}
	return f.inner.RoundTrip(r)
}

// TestCuts wants an error of the connection, not an answer, from a fault that returns an error.
func TestCuts(t *testing.T) {
	t.Parallel()
	r := newRig(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r.wrap = func(inner http.RoundTripper) http.RoundTripper { return failing{inner} }
	client, url := r.start(t, rest.Config{})
	if answer, err := get(t, client, url+"/cut"); err == nil {
		_ = answer.Body.Close() // It was only read.
		t.Errorf("a fault answers with status %d, want no answer", answer.StatusCode)
	}
	answer, err := get(t, client, url+"/other")
	if err != nil {
		t.Fatalf("the request after a fault: %v", err)
	}
	_ = answer.Body.Close() // It was only read.
}

// TestCertificates wants that only the holder of the operator's certificate has its rights.
func TestCertificates(t *testing.T) {
	t.Parallel()
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range r.TLS.PeerCertificates {
			fmt.Fprint(w, c.Subject.CommonName)
		}
	}))
	operator := r.certificate(t, pki.Request{Name: "operator", CommonName: "operator", Client: true})
	other := r.certificate(t, pki.Request{Name: "other", CommonName: "other", Client: true})
	r.options.Upstream.CertFile, r.options.Upstream.KeyFile = operator.CertFile, operator.KeyFile
	_, url := r.start(t, rest.Config{})
	for name, test := range map[string]struct {
		config rest.Config
		status int
		want   string
	}{
		"the operator":         {certificateOf(operator), http.StatusOK, "operator"},
		"another certificate":  {certificateOf(other), http.StatusUnauthorized, "serves only the operator"},
		"a token":              {rest.Config{BearerToken: "t"}, http.StatusUnauthorized, "serves only the operator"},
		"no credentials":       {rest.Config{}, http.StatusUnauthorized, "serves only the operator"},
		"an unknown authority": {certificateOf(foreign(t)), 0, ""},
	} {
		answer, err := get(t, r.client(t, test.config), url)
		if test.status == 0 {
			if err == nil {
				_ = answer.Body.Close() // It was only read.
				t.Errorf("%s: status %d, want no connection", name, answer.StatusCode)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close() // It was only read.
		if err != nil || answer.StatusCode != test.status || !strings.Contains(string(body), test.want) {
			t.Errorf("%s: %v, status %d, body %q; want %d and %q", name, err, answer.StatusCode, body, test.status, test.want)
		}
	}
}

func certificateOf(pair *pki.Pair) rest.Config {
	return rest.Config{TLSClientConfig: rest.TLSClientConfig{CertFile: pair.CertFile, KeyFile: pair.KeyFile}}
}

// foreign returns a certificate of another authority.
func foreign(t *testing.T) *pki.Pair {
	t.Helper()
	authority, _, err := pki.Store{Dir: t.TempDir()}.Authority("ca")
	if err != nil {
		t.Fatal(err)
	}
	pair, _, err := authority.Certificate(pki.Request{Name: "operator", CommonName: "operator", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Options){
		"reading the certificate":          func(o *Options) { o.Certificate = empty },
		"no certificate in":                func(o *Options) { o.Upstream.CertFile, o.ClientCA = "any", empty },
		"address of the API server":        func(o *Options) { o.Upstream.Host = "http://a b" },
		"connecting to the API server":     func(o *Options) { o.Upstream.CAFile = empty + "-absent" },
		"reading the authority of clients": func(o *Options) { o.Upstream.CertFile, o.ClientCA = "any", empty+"-absent" },
	} {
		r := newRig(t, http.NotFoundHandler())
		change(&r.options)
		if _, err := Start(t.Context(), r.options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start = %v, want an error with %q", err, want)
		}
	}
}
