package artifact

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

func TestAnswers(t *testing.T) {
	const timeout = time.Second
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	_, digest, _ := strings.Cut(defaults.Image, "@")
	found := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oci.content.index.v1+json")
		w.Header().Set("Content-Length", "1")
		w.Header().Set("Docker-Content-Digest", digest)
	}
	hang := func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    string // in the error; "" for nil
	}{
		{"image found", found, ""},
		{"access denied", status(http.StatusForbidden), "403"},
		{"no such image", status(http.StatusNotFound), "404"},
		{"too many requests", status(http.StatusTooManyRequests), "429"},
		{"no response", hang, context.DeadlineExceeded.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			transport := answeredBy(t, test.handler)
			start := time.Now()
			err := puller(t, transport, "amd64").answers(t.Context(), defaults.Image, timeout)
			if took := time.Since(start); took > 5*timeout {
				t.Errorf("answers() took %s, want at most %s", took, timeout)
			}
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("answers() = %v, want %q", err, test.want)
			}
		})
	}
	t.Run("closed port", func(t *testing.T) {
		server := httptest.NewServer(nil)
		to, _ := url.Parse(server.URL)
		server.Close()
		transport := detour{to, &http.Transport{}}
		if err := puller(t, transport, "amd64").answers(t.Context(), defaults.Image, timeout); err == nil {
			t.Error("answers() = nil")
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := puller(t, answeredBy(t, http.HandlerFunc(hang)), "amd64").answers(ctx, defaults.Image, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("answers() = %v, want %v", err, context.Canceled)
		}
	})
}
