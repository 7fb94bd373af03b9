package image

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPing(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // in the error; empty for none
	}{
		{"open", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }, ""},
		{"wants a token", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Www-Authenticate", `Bearer realm="https://auth.example"`)
			w.WriteHeader(http.StatusUnauthorized)
		}, ""},
		{"a proxy's page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte("<html>sign in</html>"))
		}, "a web page answers (200 OK), not a registry"},
		{"a proxy's refusal", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
		}, "a web page answers (403 Forbidden)"},
		{"a limit", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
			w.WriteHeader(http.StatusTooManyRequests)
		}, "it answers 429 Too Many Requests"},
		{"broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "it answers 502 Bad Gateway"},
		{"silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer in time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/" || r.Header.Get("Authorization") != "" {
					t.Errorf("asked for %s with %q", r.URL, r.Header.Get("Authorization"))
				}
				test.answer(w, r)
			}))
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			err := Ping(ctx, server.Client(), strings.TrimPrefix(server.URL, "https://"))
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	err := Ping(t.Context(), nil, "127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "Get ") {
		t.Errorf("nobody there: %v", err)
	}
}

// Each host is one that some image's name begins with, as a registry client reads it: short names are Docker Hub's.
func TestRegistryHosts(t *testing.T) {
	got, err := RegistryHosts(Mirror{})
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{certManagerRepository, jaegerRepository, Pause} {
		host, _, _ := strings.Cut(strings.Replace(image, "docker.io/", "index.docker.io/", 1), "/")
		if !slices.Contains(got, host) {
			t.Errorf("%s is not among %q", host, got)
		}
	}
	if len(got) != 3 || !slices.IsSorted(got) {
		t.Errorf("%q, want three, sorted", got)
	}
}

// proxied is a client whose requests go through a proxy that answers whoever asks it for a tunnel. The environment names it, too, with a
// password that no error may tell.
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

func TestPingThroughAProxyThatIsInTheWay(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"a page in the tunnel", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>sign in</html>"))
		}, "sends something of its own, a web page most likely, in the registry's place"},
		{"a refusal", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("<html>no</html>"))
		}, "was asked for the way there: Forbidden"},
		{"a sign-in", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }, "Proxy Authentication Required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := Ping(t.Context(), proxied(t, test.answer), "registry.example")
			if err == nil || !strings.Contains(err.Error(), "the proxy 127.0.0.1:") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n<") || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v", err)
			}
		})
	}
}
