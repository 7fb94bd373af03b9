package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

const blobPath, manifestPath = "/blobs/", "/manifests/"

// faulty is a registry that calls another handler for GET requests whose path contains a text.
type faulty struct {
	good http.Handler
	on   string

	mu  sync.Mutex // A cancelled request may still run.
	bad http.HandlerFunc
}

// turn sets the other handler. With nil the registry works.
func (f *faulty) turn(bad http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad = bad
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	f.mu.Lock()
	bad := f.bad
	f.mu.Unlock()
	if bad != nil && request.Method == http.MethodGet && strings.Contains(request.URL.Path, f.on) {
		bad(w, request)
		return
	}
	f.good.ServeHTTP(w, request)
}

// answering returns a handler for a fixed response.
func answering(status int, kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// breakingOff sends half of the registry's response and then closes the connection.
func breakingOff(good http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		whole := httptest.NewRecorder()
		good.ServeHTTP(whole, request)
		w.Header().Set("Content-Length", fmt.Sprint(whole.Body.Len()))
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		panic(http.ErrAbortHandler)
	}
}

// altered sends the registry's response with its last byte changed.
func altered(good http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		whole := httptest.NewRecorder()
		good.ServeHTTP(whole, request)
		for name, values := range whole.Header() {
			w.Header()[name] = values
		}
		body := whole.Body.Bytes()
		body[len(body)-1] ^= 1
		_, _ = w.Write(body)
	}
}

// Every failed pull returns an error of one line with the image, the registry, the cause and a
// remedy, and leaves nothing in the cache that a later pull mistakes for the image.
func TestPullFromAFaultyRegistry(t *testing.T) {
	const page = "<html>\n<body>\nSign in\n</body>\n</html>\n"
	good := quietRegistry()
	for _, test := range []struct {
		name, on string
		bad      http.HandlerFunc
		want     []string
	}{
		{"too many requests", manifestPath, answering(429, "application/json", "{}"), []string{"rate limited (429", "docker login", "--images=source"}},
		{"too many requests for blobs", blobPath, answering(429, "application/json", "{}"), []string{"rate limited (429"}},
		{"no such image", manifestPath, answering(404, "application/json", `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`), []string{"no such image (404 Not Found)"}},
		{"no such layer", blobPath, answering(404, "application/json", `{"errors":[{"code":"BLOB_UNKNOWN"}]}`), []string{"404"}},
		{"access denied", manifestPath, answering(403, "application/json", `{"errors":[{"code":"DENIED"}]}`), []string{"access denied (403 Forbidden)", "docker login"}},
		{"another status", manifestPath, answering(410, "application/json", "{}"), []string{"unexpected status 410 Gone"}},
		{"HTML for a manifest", manifestPath, answering(200, "text/html; charset=utf-8", page), []string{"got an HTML page (200 OK) instead of a registry response", "HTTPS_PROXY"}},
		{"HTML for everything", "/", answering(200, "text/html", page), []string{"got an HTML page (200 OK)"}},
		{"HTML with status 403", "/", answering(403, "text/html", page), []string{"got an HTML page (403 Forbidden)"}},
		{"HTML for a layer", blobPath, answering(200, "text/html", page), []string{"got an HTML page"}},
		{"another manifest", manifestPath, altered(good), []string{"wrong digest or size", "sha256:"}},
		{"other blobs", blobPath, altered(good), []string{"wrong digest or size", "sha256:"}},
		{"half a blob", blobPath, breakingOff(good), []string{"connection lost"}},
		{"closed connection", blobPath, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, []string{"connection lost"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			registry := &faulty{good: good, on: test.on}
			transport := answeredBy(t, registry)
			digest, err := publish(t, transport, component.Pause).Digest()
			if err != nil {
				t.Fatal(err)
			}
			r := puller(t, transport, "amd64")
			r.mirror.pins = map[string]string{component.Pause: digest.String()}
			registry.turn(test.bad)
			_, err = r.pull(t.Context(), nil, component.Pause)
			if err == nil {
				t.Fatal("pull() succeeded")
			}
			for _, want := range append(test.want, "pulling "+component.Pause+" from registry.k8s.io: ", "--images=source") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("pull() = %v, want %q", err, want)
				}
			}
			if strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "<html>") {
				t.Errorf("pull() = %q, want one plain line", err)
			}
			registry.turn(nil)
			image, err := r.pull(t.Context(), nil, component.Pause)
			if err != nil {
				t.Fatalf("pull() from the working registry: %v", err)
			}
			if err := validate.Image(image.content); err != nil {
				t.Errorf("image from the working registry: %v", err)
			}
		})
	}
}

// Retry-After is a number of seconds or a date.
func TestPullHonoursRetryAfter(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string // one for each response 429
		waits   []time.Duration
		fails   string
	}{
		{"seconds", []string{"7"}, []time.Duration{7 * time.Second}, ""},
		{"twice", []string{"7", "11"}, []time.Duration{7 * time.Second, 11 * time.Second}, ""},
		{"no header", []string{"", "", "soon"}, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, ""},
		{"a date in the past", []string{time.Unix(0, 0).UTC().Format(http.TimeFormat)}, []time.Duration{0}, ""},
		{"too long", []string{"3600"}, nil, "retry after 1h0m0s"},
		{"too long in total", []string{"30", "30", "30"}, []time.Duration{30 * time.Second, 30 * time.Second}, "rate limited"},
	} {
		t.Run(test.name, func(t *testing.T) {
			registry := &faulty{good: quietRegistry(), on: manifestPath}
			transport := answeredBy(t, registry)
			publish(t, transport, component.Pause)
			responses := 0
			registry.turn(func(w http.ResponseWriter, request *http.Request) {
				if responses == len(test.headers) {
					registry.good.ServeHTTP(w, request)
					return
				}
				if value := test.headers[responses]; value != "" {
					w.Header().Set("Retry-After", value)
				}
				responses++
				w.WriteHeader(http.StatusTooManyRequests)
			})
			r := puller(t, transport, "amd64")
			var waits []time.Duration
			r.wait = func(_ *http.Request, d time.Duration) error {
				waits = append(waits, d)
				return nil
			}
			_, err := r.pull(t.Context(), nil, component.Pause)
			if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("pull() = %v, want %q", err, test.fails)
			}
			if fmt.Sprint(waits) != fmt.Sprint(test.waits) {
				t.Errorf("waits = %v, want %v", waits, test.waits)
			}
		})
	}
}

func TestPauseStopsWithTheRequest(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://registry.invalid", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := pause(request, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("pause() = %v, want %v", err, context.Canceled)
	}
}

// A pinned image that was pulled needs no registry, unless part of it is missing or damaged.
func TestPinnedImageIsCached(t *testing.T) {
	registry := &faulty{good: quietRegistry(), on: "/"}
	transport := answeredBy(t, registry)
	index := publish(t, transport, component.Pause)
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	r := puller(t, transport, "amd64")
	r.mirror.pins = map[string]string{component.Pause: digest.String()}
	first, err := r.pull(t.Context(), nil, component.Pause)
	if err != nil {
		t.Fatal(err)
	}
	registry.turn(answering(500, "application/json", "{}"))
	second, err := r.pull(t.Context(), nil, component.Pause)
	if err != nil {
		t.Fatalf("without the registry: %v", err)
	}
	if a, b := digestOf(t, first), digestOf(t, second); a != b {
		t.Errorf("digest from the cache = %s, want %s", b, a)
	}
	other := puller(t, transport, "arm64")
	other.folder, other.mirror.pins = r.folder, r.mirror.pins
	if _, _, found := other.stored(component.Pause); found {
		t.Error("stored() found the image of a platform that was not pulled")
	}

	manifest, err := first.content.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	blobs := layout.Path(filepath.Join(r.folder, "registry"))
	registry.turn(nil)
	for _, blob := range []v1.Hash{digest, manifest.Config.Digest, manifest.Layers[0].Digest} {
		if err := os.Truncate(filepath.Join(string(blobs), "blobs", blob.Algorithm, blob.Hex), 3); err != nil {
			t.Fatal(err)
		}
		if _, _, found := r.stored(component.Pause); found {
			t.Errorf("stored() found the image with a truncated blob %s", blob)
		}
		repaired, err := r.pull(t.Context(), nil, component.Pause)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(repaired.content); err != nil {
			t.Errorf("image after the repair of blob %s: %v", blob, err)
		}
	}
}

// If the cache can't be written, the error does not blame the registry.
func TestPullIntoAnInvalidCache(t *testing.T) {
	transport := answeredBy(t, quietRegistry())
	publish(t, transport, component.Pause)
	r := puller(t, transport, "amd64")
	filetest.Put(t, r.folder, "registry", "a file")
	_, err := r.pull(t.Context(), nil, component.Pause)
	if err == nil || !strings.Contains(err.Error(), "XDG_CACHE_HOME") || strings.Contains(err.Error(), "--images") {
		t.Errorf("pull() = %v, want a remedy for the cache", err)
	}
}
