package artifact

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

func TestPing(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // in the error; empty for none
	}{
		{"open", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }, ""},
		{"requires a token", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Www-Authenticate", `Bearer realm="https://auth.example"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, ""},
		{"HTML page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte("<html>sign in</html>"))
		}, "got an HTML page (200 OK) instead of a registry response"},
		{"HTML page with status 403", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
		}, "got an HTML page (403 Forbidden)"},
		{"rate limited", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
			w.WriteHeader(http.StatusTooManyRequests)
		}, "unexpected status 429 Too Many Requests"},
		{"server error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "unexpected status 502 Bad Gateway"},
		{"no response", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no response in time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/" || r.Header.Get("Authorization") != "" {
					t.Errorf("request for %s with credentials %q", r.URL, r.Header.Get("Authorization"))
				}
				test.answer(w, r)
			}))
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			err := Ping(ctx, server.Client(), strings.TrimPrefix(server.URL, "https://"))
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("Ping() = %v, want %q", err, test.want)
			}
		})
	}
	err := Ping(t.Context(), nil, "127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "Get ") {
		t.Errorf("Ping() of a closed port = %v", err)
	}
}

// The hosts are in the images' names, as registry clients parse them.
func TestRegistryHosts(t *testing.T) {
	got, err := RegistryHosts(Mirror{})
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{component.Named(component.CertManager).Images[0], component.Named(component.Jaeger).Images[0], component.Pause} {
		host, _, _ := strings.Cut(strings.Replace(image, "docker.io/", "index.docker.io/", 1), "/")
		if !slices.Contains(got, host) {
			t.Errorf("RegistryHosts() = %q, want %s", got, host)
		}
	}
	if len(got) != 3 || !slices.IsSorted(got) {
		t.Errorf("RegistryHosts() = %q, want three, sorted", got)
	}
}

// proxied returns a client of a proxy that answers CONNECT requests with answer. The environment
// has the proxy too, with a password that must not appear in errors.
func proxied(t *testing.T, answer http.HandlerFunc) *http.Client {
	t.Helper()
	proxy := httptest.NewServer(answer)
	t.Cleanup(proxy.Close)
	address := strings.Replace(proxy.URL, "http://", "http://me:secret@", 1)
	t.Setenv("HTTPS_PROXY", address)
	t.Setenv("https_proxy", "")
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(parsed), DisableKeepAlives: true}}
}

func TestPingThroughAProxy(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"HTML page in the tunnel", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>sign in</html>"))
		}, "sent its own content instead of the registry's, probably an HTML page"},
		{"refused", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("<html>no</html>"))
		}, ": Forbidden"},
		{"sign-in", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }, "Proxy Authentication Required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Ping(t.Context(), proxied(t, test.answer), "registry.example")
			if err == nil || !strings.Contains(err.Error(), "the proxy 127.0.0.1:") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Ping() = %v, want %q", err, test.want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n<") || strings.Contains(err.Error(), "secret") {
				t.Errorf("Ping() = %v, want one line without the password", err)
			}
		})
	}
}
