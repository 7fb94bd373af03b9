package artifact

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
	"github.com/operator-tracing/sandbox/sandbox/artifact/layer"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// detour sends the requests for every host to one server, so that tests use the sandbox's
// references.
type detour struct {
	to   *url.URL
	base http.RoundTripper
}

func (d detour) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.URL.Scheme, request.URL.Host = d.to.Scheme, d.to.Host
	return d.base.RoundTrip(request)
}

// answeredBy returns a transport for which handler is every registry. There are no logins.
func answeredBy(t *testing.T, handler http.Handler) http.RoundTripper {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(t.TempDir(), "none"))
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	to, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	return detour{to, base}
}

// puller returns a Registry for an architecture that uses a transport and does not wait.
func puller(t *testing.T, transport http.RoundTripper, arch string) *Registry {
	t.Helper()
	r := NewRegistry(t.TempDir(), arch, Mirror{})
	r.mirror.pins, r.transport, r.backoff.Duration = unpinned(t), transport, time.Millisecond
	r.wait = func(*http.Request, time.Duration) error { return nil }
	return r
}

// publish pushes an image of two platforms.
func publish(t *testing.T, transport http.RoundTripper, reference string) v1.ImageIndex {
	t.Helper()
	var index v1.ImageIndex = empty.Index
	for _, arch := range []string{"amd64", "arm64"} {
		image := published(t, reference+arch)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	parsed, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(parsed, index, remote.WithTransport(transport), remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	return index
}

// published returns an image with a compressed layer, like those in registries.
func published(t *testing.T, content string) v1.Image {
	t.Helper()
	path := filepath.Join(t.TempDir(), "layer.tar")
	if err := layer.Write(path, []layer.File{{Path: "program", Content: content}}); err != nil {
		t.Fatal(err)
	}
	compressed, err := tarball.LayerFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, compressed)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// unpinned accepts any digest of the images in the table.
func unpinned(t *testing.T) map[string]string {
	t.Helper()
	digests := map[string]string{}
	for _, reference := range References() {
		tag, err := name.NewTag(reference)
		if err != nil {
			t.Fatal(err)
		}
		digests[tag.Name()] = ""
	}
	return digests
}

func quietRegistry() http.Handler { return registry.New(registry.Logger(log.New(io.Discard, "", 0))) }

func TestRegistryPullsThisPlatformUnderItsTag(t *testing.T) {
	transport := answeredBy(t, quietRegistry())
	for _, reference := range References() {
		publish(t, transport, reference)
	}
	r := puller(t, transport, "arm64")
	var want, got [][]string
	for _, c := range component.All() {
		if c.Name == component.ControlPlane || len(c.Images) == 0 {
			continue
		}
		images, err := r.Images(t.Context(), c.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, image := range images {
			tagged, _, _ := strings.Cut(c.Images[i], "@")
			want, got = append(want, []string{tagged}), append(got, image.Names)
			archive := &bytes.Buffer{}
			if err := Archive(archive, image); err != nil {
				t.Fatal(err)
			}
			if content := programOf(t, archive.Bytes()); content != image.Name()+"arm64" {
				t.Errorf("program in image %s = %q, want the program for arm64", image.Name(), content)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// programOf returns the content of the program in an archive with one image.
func programOf(t *testing.T, archive []byte) string {
	t.Helper()
	image, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Error(err)
	}
	content := mutate.Extract(image)
	defer content.Close()
	for _, e := range filetest.Entries(t, content) {
		if e.Name == "program" {
			return e.Content
		}
	}
	t.Error("no program in the image")
	return ""
}

// A step's context is cancelled after the step, and a later step uses the image.
func TestPulledImageNeedsNoRegistryLater(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	transport := answeredBy(t, quietRegistry())
	publish(t, transport, component.Pause)
	r := puller(t, transport, "amd64")
	image, err := r.pull(ctx, nil, component.Pause)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	archive := &bytes.Buffer{}
	if err := Archive(archive, image); err != nil {
		t.Fatal(err)
	}
	if content := programOf(t, archive.Bytes()); content != component.Pause+"amd64" {
		t.Errorf("program = %q", content)
	}
}

func TestSecondPullTakesLayersFromTheCache(t *testing.T) {
	images := quietRegistry()
	var blobs atomic.Int64
	transport := answeredBy(t, http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/blobs/") {
			blobs.Add(1)
		}
		images.ServeHTTP(w, request)
	}))
	publish(t, transport, component.Pause)
	r := puller(t, transport, "amd64")
	for i, want := range []int64{2, 2} { // The configuration and the layer, then nothing.
		if _, err := r.pull(t.Context(), nil, component.Pause); err != nil {
			t.Fatal(err)
		}
		if got := blobs.Load(); got != want {
			t.Errorf("%d blobs requested after pull %d, want %d", got, i+1, want)
		}
	}
}

// kind names its image by tag and digest, without the host.
func TestPullByDigestNamesTheImageByItsTag(t *testing.T) {
	transport := answeredBy(t, quietRegistry())
	index := publish(t, transport, "kindest/node:v1.99.0")
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	r := puller(t, transport, "amd64")
	image, err := r.pull(t.Context(), nil, "kindest/node:v1.99.0@"+digest.String())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"docker.io/kindest/node:v1.99.0"}, image.Names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestPullErrorNamesImageAndRemedy(t *testing.T) {
	transport := answeredBy(t, quietRegistry())
	r := puller(t, transport, "amd64")
	for name, want := range map[string]string{
		component.Jaeger:       "pulling " + component.Named(component.Jaeger).Images[0] + " from index.docker.io: no such image (404 Not Found); ",
		component.ControlPlane: "kindest/node",
		component.CertManager:  "cert-manager-controller",
		component.Operator:     "it has no published images",
	} {
		if _, err := r.Images(t.Context(), name, nil); err == nil || !strings.Contains(err.Error(), want) ||
			name == component.Jaeger && !strings.Contains(err.Error(), "--images=source") {
			t.Errorf("Images(%s) = %v, want %q", name, err, want)
		}
	}
}

func TestPullRequestsThePinnedDigest(t *testing.T) {
	transport := answeredBy(t, quietRegistry())
	published := publish(t, transport, component.Pause)
	digest, err := published.Digest()
	if err != nil {
		t.Fatal(err)
	}
	r := puller(t, transport, "amd64")
	r.mirror.pins = map[string]string{component.Pause: digest.String()}
	image, err := r.pull(t.Context(), nil, component.Pause)
	if err != nil {
		t.Fatal(err)
	}
	if image.Name() != component.Pause {
		t.Errorf("Name() = %s, want %s", image.Name(), component.Pause)
	}
	r.mirror.pins[component.Pause] = "sha256:" + strings.Repeat("0", 64)
	if _, err := r.pull(t.Context(), nil, component.Pause); err == nil {
		t.Error("pull() succeeded with another digest than the pinned one")
	}
}
