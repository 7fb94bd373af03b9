package faults

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	imagename "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
)

// TestUpFromAMirror serves the images that were built from source from a registry in this process,
// which refuses one request with "too many requests". up creates the sandbox from it, by digests.
// The node gets the images from the program and never pulls.
func TestUpFromAMirror(t *testing.T) {
	s := newSandbox(t)
	m := s.mirror()
	m.refuse.Store(1)
	s.Env = append(append(s.Env, "SANDBOX_IMAGES=registry"), ownCache(t)...)
	out, err := s.Run(t.Context(), upLimit, "up", "--registry-mirror="+m.address, "--registry-pins="+m.pins)
	if err != nil {
		t.Fatalf("up: %v\n%s", err, out)
	}
	s.wantOutcome(out, "created")
	s.wantNoPulls()
	if status := s.WantUp(); status.Images != "registry" {
		t.Errorf("images from %q", status.Images)
	}
	if m.refuse.Load() > 0 || m.asked.Load() == 0 {
		t.Errorf("the registry was asked %d times, and has %d refusals left", m.asked.Load(), m.refuse.Load())
	}

	// Images that were pinned and pulled need no registry any more.
	m.close()
	out, err = s.Run(t.Context(), upLimit, "up", "--registry-mirror="+m.address, "--registry-pins="+m.pins)
	if err != nil {
		t.Fatalf("up without the registry: %v\n%s", err, out)
	}
	s.wantOutcome(out, "already up")
}

// TestMirrorThatBreaksOff makes the registry end its connections in the middle of Jaeger's layers.
// With --images=registry, up fails with one line. With auto, up prints the reason and uses images
// from source.
func TestMirrorThatBreaksOff(t *testing.T) {
	s := newSandbox(t)
	m := s.mirror()
	m.breakOff.Store("/jaegertracing/jaeger/blobs/")
	s.Env = append(s.Env, ownCache(t)...)
	args := []string{"up", "--registry-mirror=" + m.address, "--registry-pins=" + m.pins}
	s.WantRefusal([]string{"SANDBOX_IMAGES=registry"}, args, "pulling docker.io/jaegertracing/jaeger:", m.address, "connection lost", "--images=source")

	s.Env = append(s.Env, "SANDBOX_IMAGES=auto")
	out, err := s.Run(t.Context(), upLimit, args...)
	if err != nil {
		t.Fatalf("up: %v\n%s", err, out)
	}
	s.wantOutcome(out, "created", "recreated")
	if !strings.Contains(out, "connection lost") || !strings.Contains(out, "falling back to images from source") {
		t.Errorf("up does not print why it uses source:\n%s", out)
	}
	s.wantNoPulls()
	s.WantUp()
}

// mirror is a registry of this process.
type mirror struct {
	address, pins string
	asked, refuse atomic.Int64 // refuse is the number of requests for manifests to refuse.
	breakOff      atomic.Value // a part of paths
	close         func()
}

// mirror serves the images of a new bundle with their names in registries.
func (s *sandbox) mirror() *mirror {
	s.T.Helper()
	folder := s.T.TempDir()
	unpack(s.T, s.bundle(), folder)
	// The blobs of the registry are the files of a layout, so no transfer is necessary.
	blobs := registry.NewDiskBlobHandler(filepath.Join(folder, "blobs"))
	images := registry.New(registry.WithBlobHandler(blobs), registry.Logger(log.New(io.Discard, "", 0)))
	m := &mirror{}
	m.breakOff.Store("")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) { m.answer(w, request, images) }))
	s.T.Cleanup(server.Close)
	m.address, m.close = strings.TrimPrefix(server.URL, "http://"), server.Close

	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		s.T.Fatal(err)
	}
	var pins strings.Builder
	for wanted, content := range bySource(s.T, index) {
		tag, err := imagename.NewTag(wanted)
		if err != nil {
			s.T.Fatal(err)
		}
		reference, err := imagename.NewTag(m.address + "/" + tag.RepositoryStr() + ":" + tag.TagStr())
		if err != nil {
			s.T.Fatal(err)
		}
		if err := remote.Write(reference, content, remote.WithContext(s.T.Context())); err != nil {
			s.T.Fatal(err)
		}
		digest, err := content.Digest()
		if err != nil {
			s.T.Fatal(err)
		}
		fmt.Fprintf(&pins, "%s: %s\n", wanted, digest)
	}
	m.pins = filepath.Join(s.T.TempDir(), "pins.yaml")
	if err := os.WriteFile(m.pins, []byte(pins.String()), 0o644); err != nil {
		s.T.Fatal(err)
	}
	m.asked.Store(0)
	return m
}

func (m *mirror) answer(w http.ResponseWriter, request *http.Request, images http.Handler) {
	if request.Method != http.MethodGet {
		images.ServeHTTP(w, request)
		return
	}
	m.asked.Add(1)
	if strings.Contains(request.URL.Path, "/manifests/") && m.refuse.Add(-1) >= 0 {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	if part, _ := m.breakOff.Load().(string); part != "" && strings.Contains(request.URL.Path, part) {
		w.Header().Set("Content-Length", "1000000")
		_, _ = io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	}
	images.ServeHTTP(w, request)
}

// bySource finds the image from source in a bundle for every image of a registry.
func bySource(t *testing.T, index v1.ImageIndex) map[string]v1.Image {
	t.Helper()
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]v1.Image{}
	for _, m := range manifest.Manifests {
		reference := m.Annotations["org.opencontainers.image.ref.name"]
		own := strings.TrimPrefix(reference, artifact.LocalRepository)
		for _, wanted := range artifact.References() {
			tagged, _, _ := strings.Cut(wanted, "@")
			repository := tagged[strings.LastIndexByte(tagged, '/')+1:]
			repository, _, _ = strings.Cut(repository, ":")
			if reference != tagged && (own == reference || !strings.HasPrefix(own, repository+":")) {
				continue
			}
			if found[tagged], err = index.Image(m.Digest); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(found) != len(artifact.References()) {
		t.Fatalf("the bundle has %d of the %d images", len(found), len(artifact.References()))
	}
	return found
}

// unpack unpacks an archive.
func unpack(t *testing.T, file, folder string) {
	t.Helper()
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for archive := tar.NewReader(in); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, header.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(out, archive)
		if err := errors.Join(err, out.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// goCache returns the folder of Go's build cache.
func goCache(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
