package image

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
)

const blobPath, manifestPath = "/blobs/", "/manifests/"

// faulty is a registry that does something else where the path has a part. It may be told what while it runs.
type faulty struct {
	good http.Handler
	on   string

	mu  sync.Mutex // A request that its client gave up may still be under way.
	bad http.HandlerFunc
}

// turn makes it answer so from now on; nil is as it should.
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

// answering answers with a status, a type and a text.
func answering(status int, kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// breakingOff sends half of what the registry would, and then closes the connection.
func breakingOff(good http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		whole := httptest.NewRecorder()
		good.ServeHTTP(whole, request)
		w.Header().Set("Content-Length", fmt.Sprint(whole.Body.Len()))
		_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		panic(http.ErrAbortHandler)
	}
}

// altered sends what the registry would with its last byte changed.
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

// Whatever a registry does wrong ends in one line with the image, the registry, what happened and what to do, and leaves
// nothing in the cache that a later pull takes for the image.
func TestPullFromAFaultyRegistry(t *testing.T) {
	const page = "<html>\n<body>\nSign in\n</body>\n</html>\n"
	good := quietRegistry()
	for _, test := range []struct {
		name, on string
		bad      http.HandlerFunc
		want     []string
	}{
		{"too many requests", manifestPath, answering(429, "application/json", "{}"), []string{"asked too often (429", "docker login", "--images=source"}},
		{"too many blobs", blobPath, answering(429, "application/json", "{}"), []string{"asked too often (429"}},
		{"no such image", manifestPath, answering(404, "application/json", `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`), []string{"it has no such image (404 Not Found)"}},
		{"no such layer", blobPath, answering(404, "application/json", `{"errors":[{"code":"BLOB_UNKNOWN"}]}`), []string{"404"}},
		{"refused", manifestPath, answering(403, "application/json", `{"errors":[{"code":"DENIED"}]}`), []string{"it refuses (403 Forbidden)", "docker login"}},
		{"in trouble", manifestPath, answering(410, "application/json", "{}"), []string{"it answers 410 Gone"}},
		{"a page for a manifest", manifestPath, answering(200, "text/html; charset=utf-8", page), []string{"a web page answers (200 OK), not a registry", "HTTPS_PROXY"}},
		{"a page for everything", "/", answering(200, "text/html", page), []string{"a web page answers (200 OK)"}},
		{"a page that refuses", "/", answering(403, "text/html", page), []string{"a web page answers (403 Forbidden)"}},
		{"a page for a layer", blobPath, answering(200, "text/html", page), []string{"a web page answers"}},
		{"another manifest", manifestPath, altered(good), []string{"something else than what was asked for", "sha256:"}},
		{"other blobs", blobPath, altered(good), []string{"something else than what was asked for", "sha256:"}},
		{"half a blob", blobPath, breakingOff(good), []string{"it broke off"}},
		{"nothing at all", blobPath, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, []string{"it broke off"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			registry := &faulty{good: good, on: test.on}
			transport := answeredBy(t, registry)
			digest, err := publish(t, transport, Pause).Digest()
			if err != nil {
				t.Fatal(err)
			}
			r := puller(t, transport, "amd64")
			r.digests = map[string]string{Pause: digest.String()}
			registry.turn(test.bad)
			_, err = r.pull(t.Context(), nil, Pause)
			if err == nil {
				t.Fatal("it was pulled")
			}
			for _, want := range append(test.want, "pulling "+Pause+" from registry.k8s.io: ", "--images=source") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			if strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "<html>") {
				t.Errorf("error %q is not one plain line", err)
			}
			registry.turn(nil)
			image, err := r.pull(t.Context(), nil, Pause)
			if err != nil {
				t.Fatalf("afterwards: %v", err)
			}
			if err := validate.Image(image.image); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// A registry says how long it wants to be left alone, in seconds or by a date, and is.
func TestPullWaitsAsLongAsTheRegistryAsks(t *testing.T) {
	for _, test := range []struct {
		name    string
		headers []string // one for every refusal
		waits   []time.Duration
		fails   string
	}{
		{"seconds", []string{"7"}, []time.Duration{7 * time.Second}, ""},
		{"twice", []string{"7", "11"}, []time.Duration{7 * time.Second, 11 * time.Second}, ""},
		{"not said", []string{"", "", "soon"}, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, ""},
		{"a date that is over", []string{time.Unix(0, 0).UTC().Format(http.TimeFormat)}, []time.Duration{0}, ""},
		{"too long", []string{"3600"}, nil, "wants to be left alone for 1h0m0s"},
		{"too long in all", []string{"30", "30", "30"}, []time.Duration{30 * time.Second, 30 * time.Second}, "asked too often"},
	} {
		t.Run(test.name, func(t *testing.T) {
			registry := &faulty{good: quietRegistry(), on: manifestPath}
			transport := answeredBy(t, registry)
			publish(t, transport, Pause)
			refusals := 0
			registry.turn(func(w http.ResponseWriter, request *http.Request) {
				if refusals == len(test.headers) {
					registry.good.ServeHTTP(w, request)
					return
				}
				if value := test.headers[refusals]; value != "" {
					w.Header().Set("Retry-After", value)
				}
				refusals++
				w.WriteHeader(http.StatusTooManyRequests)
			})
			r := puller(t, transport, "amd64")
			var waits []time.Duration
			r.wait = func(_ *http.Request, d time.Duration) error {
				waits = append(waits, d)
				return nil
			}
			_, err := r.pull(t.Context(), nil, Pause)
			if (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("error %v, want %q", err, test.fails)
			}
			if fmt.Sprint(waits) != fmt.Sprint(test.waits) {
				t.Errorf("it waited %v, want %v", waits, test.waits)
			}
		})
	}
}

// Nobody waits for a registry longer than for the step that needs it.
func TestPauseEndsWithTheRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://registry.invalid", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := pause(request, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// What is pinned and was pulled whole needs no registry any more, until something of it is missing or damaged.
func TestPinnedImageComesOutOfTheCache(t *testing.T) {
	registry := &faulty{good: quietRegistry(), on: "/"}
	transport := answeredBy(t, registry)
	index := publish(t, transport, Pause)
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	r := puller(t, transport, "amd64")
	r.digests = map[string]string{Pause: digest.String()}
	first, err := r.pull(t.Context(), nil, Pause)
	if err != nil {
		t.Fatal(err)
	}
	registry.turn(answering(500, "application/json", "{}"))
	second, err := r.pull(t.Context(), nil, Pause)
	if err != nil {
		t.Fatalf("without the registry: %v", err)
	}
	if a, b := digestOf(t, first), digestOf(t, second); a != b {
		t.Errorf("the cache has %s, the registry %s", b, a)
	}
	other := puller(t, transport, "arm64")
	other.builder.Cache, other.digests = r.builder.Cache, r.digests
	if _, _, found := other.stored(Pause); found {
		t.Error("the image of another platform was found, which nobody pulled")
	}

	manifest, err := first.image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	blobs := layout.Path(filepath.Join(r.builder.Cache, "registry"))
	registry.turn(nil)
	for _, blob := range []v1.Hash{digest, manifest.Config.Digest, manifest.Layers[0].Digest} {
		if err := os.Truncate(filepath.Join(string(blobs), "blobs", blob.Algorithm, blob.Hex), 3); err != nil {
			t.Fatal(err)
		}
		if _, _, found := r.stored(Pause); found {
			t.Errorf("half of blob %s was taken for the whole", blob)
		}
		mended, err := r.pull(t.Context(), nil, Pause)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(mended.image); err != nil {
			t.Errorf("after blob %s was mended: %v", blob, err)
		}
	}
}

func digestOf(t *testing.T, image Image) string {
	t.Helper()
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// A cache that can't be written is not the registry's fault.
func TestPullIntoACacheThatIsNoFolder(t *testing.T) {
	transport := answeredBy(t, quietRegistry())
	publish(t, transport, Pause)
	r := puller(t, transport, "amd64")
	put(t, r.builder.Cache, "registry", "a file")
	_, err := r.pull(t.Context(), nil, Pause)
	if err == nil || !strings.Contains(err.Error(), "XDG_CACHE_HOME") || strings.Contains(err.Error(), "--images") {
		t.Errorf("error %v", err)
	}
}
