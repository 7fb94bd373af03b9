package artifact

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

func TestMirrorAddresses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ address, wanted, want, scheme string }{
		{"mirror.example.com", component.Pause, "mirror.example.com/pause:3.10.2", "https"},
		{"https://mirror.example.com/", component.Pause, "mirror.example.com/pause:3.10.2", "https"},
		{"mirror.example.com:5000/cache/all", "quay.io/jetstack/x:v1", "mirror.example.com:5000/cache/all/jetstack/x:v1", "https"},
		{"http://mirror.example.com", "kindest/node:v1", "mirror.example.com/kindest/node:v1", "http"},
		{"localhost:5000", "docker.io/jaegertracing/jaeger:2", "localhost:5000/jaegertracing/jaeger:2", "http"},
		{"127.0.0.1:5000", "kindest/node:v1@sha256:" + strings.Repeat("1", 64), "127.0.0.1:5000/kindest/node@sha256:" + strings.Repeat("1", 64), "http"},
	} {
		m, err := NewMirror(test.address, "")
		if err != nil {
			t.Errorf("%s: %v", test.address, err)
			continue
		}
		r := NewRegistry("", "", m)
		r.mirror.pins = unpinned(t)
		got, err := r.reference(test.wanted)
		if err != nil || got.Name() != test.want || got.Context().Scheme() != test.scheme {
			t.Errorf("%s at %s: %v by %s, %v; want %s by %s", test.wanted, test.address, got, got.Context().Scheme(), err, test.want, test.scheme)
		}
	}
	for _, address := range []string{"mirror", "/folder", "http://", "mirror.example.com/UPPER", "a b.c"} {
		if _, err := NewMirror(address, ""); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q: want HOST", address)) {
			t.Errorf("NewMirror(%q) = %v", address, err)
		}
	}
}

// The mirror must have the published digests, unless the user pins others.
func TestMirrorKeepsThePins(t *testing.T) {
	t.Parallel()
	m, err := NewMirror("mirror.example.com", "")
	if err != nil {
		t.Fatal(err)
	}
	r := NewRegistry("", "", m)
	if got, err := r.reference(component.Pause + "@" + pinOf(component.Pause)); err != nil || got.Name() != "mirror.example.com/pause@"+pinOf(component.Pause) {
		t.Errorf("reference() = %v, %v; want the published digest", got, err)
	}

	pins := map[string]string{}
	for i, reference := range References() {
		tagged, _, _ := strings.Cut(reference, "@")
		pins[tagged] = fmt.Sprintf("sha256:%064d", i)
	}
	m, err = NewMirror("mirror.example.com", pinsFile(t, pins))
	if err != nil {
		t.Fatal(err)
	}
	r = NewRegistry("", "", m)
	for i, reference := range References() {
		got, err := r.reference(reference)
		if err != nil || !strings.HasSuffix(got.Name(), fmt.Sprintf("@sha256:%064d", i)) {
			t.Errorf("reference(%s) = %v, %v; want digest %d of the file", reference, got, err, i)
		}
	}
}

func pinsFile(t *testing.T, pins map[string]string) string {
	t.Helper()
	var lines strings.Builder
	for _, key := range slices.Sorted(maps.Keys(pins)) {
		fmt.Fprintf(&lines, "%s: %s\n", key, pins[key])
	}
	return filetest.Put(t, t.TempDir(), "pins.yaml", lines.String())
}

// A file of pins must have all images: a missing one must not be pulled by its tag.
func TestInvalidPins(t *testing.T) {
	t.Parallel()
	const digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for _, test := range []struct{ content, want string }{
		{"", "missing digest of docker.io/jaegertracing/jaeger"},
		{component.Pause + ": " + digest, "missing digest of docker.io/jaegertracing/jaeger"},
		{"example.com/other:v1: " + digest, `unknown image "example.com/other:v1"`},
		{component.Pause + ": latest", `invalid digest "latest" of `},
		{component.Pause + ": " + digest + "\n" + component.Pause + ": " + digest, "already"},
		{"- a\n- b", "cannot unmarshal"},
	} {
		path := filetest.Put(t, t.TempDir(), "pins.yaml", test.content)
		_, err := NewMirror("mirror.example.com", path)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("NewMirror() with pins %q = %v, want %q", test.content, err, test.want)
		}
	}
	if _, err := NewMirror("mirror.example.com", filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("NewMirror() with a missing file succeeded")
	}
}

// All images are pulled from the mirror only. It is an address of this machine, without a detour.
func TestPullFromAMirror(t *testing.T) {
	var mu sync.Mutex
	hosts := map[string]bool{}
	images := quietRegistry()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		mu.Lock()
		hosts[request.Host] = true
		mu.Unlock()
		images.ServeHTTP(w, request)
	}))
	t.Cleanup(server.Close)
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	address := strings.TrimPrefix(server.URL, "http://")
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	pins := map[string]string{}
	for _, reference := range References() {
		tagged, _, _ := strings.Cut(reference, "@")
		tag, err := name.NewTag(tagged)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := publish(t, transport, address+"/all/"+tag.RepositoryStr()+":"+tag.TagStr()).Digest()
		if err != nil {
			t.Fatal(err)
		}
		pins[tagged] = digest.String()
	}
	m, err := NewMirror(address+"/all", pinsFile(t, pins))
	if err != nil {
		t.Fatal(err)
	}
	r := NewRegistry(t.TempDir(), "amd64", m)
	r.transport = transport
	if err := r.Answers(t.Context()); err != nil {
		t.Errorf("Answers() = %v", err)
	}
	node, err := r.Images(t.Context(), component.ControlPlane, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(node[0].Name(), "docker.io/kindest/node:") {
		t.Errorf("name of the node image = %s", node[0].Name())
	}
	for _, name := range []string{component.CertManager, component.Jaeger} {
		if _, err := r.Images(t.Context(), name, nil); err != nil {
			t.Error(err)
		}
	}
	samples, err := r.Images(t.Context(), component.Sample, nil)
	if err != nil {
		t.Fatal(err)
	}
	if samples[0].Name() != component.Pause {
		t.Errorf("name of the sample image = %s, want %s", samples[0].Name(), component.Pause)
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(map[string]bool{address: true}, hosts); diff != "" {
		t.Errorf("requested hosts (-want +got):\n%s", diff)
	}
}

// pageServer is a web server without TLS that sends an HTML page for every request.
type pageServer struct{}

func (pageServer) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme == "https" {
		return nil, tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Request: request, Header: http.Header{"Content-Type": {"text/html"}},
		Body: io.NopCloser(strings.NewReader("<html>sign in</html>")),
	}, nil
}

// A registry without a certificate is tried with and without TLS: the error is about the response.
func TestPullFromAWebServer(t *testing.T) {
	m, err := NewMirror("http://127.0.0.1:1", "")
	if err != nil {
		t.Fatal(err)
	}
	r := NewRegistry(t.TempDir(), "amd64", m)
	r.transport = pageServer{}
	_, err = r.Images(t.Context(), component.Jaeger, nil)
	if err == nil || !strings.Contains(err.Error(), "from 127.0.0.1:1: got an HTML page (200 OK)") {
		t.Errorf("Jaeger() = %v", err)
	}
}

// pinOf returns the digest of an image in the table.
func pinOf(image string) string {
	for _, reference := range component.Named(component.Sample).Images {
		if tagged, digest, _ := strings.Cut(reference, "@"); tagged == image {
			return digest
		}
	}
	return ""
}
