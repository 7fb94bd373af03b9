package artifact

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	ref "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// TestPush pushes to a registry in this process, and pulls by the returned reference.
func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	content, err := random.Image(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := content.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for address, wanted := range map[string]string{
		host + "/team/a": host + "/team/a/operator@" + digest.String(),
		server.URL:       host + "/operator@" + digest.String(),
	} {
		folder, err := NewFolder(address)
		if err != nil {
			t.Fatal(err)
		}
		reference, err := folder.Push(t.Context(), New(content, LocalRepository+"operator:0123"))
		if err != nil || reference != wanted {
			t.Fatalf("Push() = %q, %v; want %q", reference, err, wanted)
		}
		wantPulled(t, reference, digest)
	}
	folder, err := NewFolder(host)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := folder.Push(t.Context(), New(content, component.Pause))
	if want := host + "/pause@" + digest.String(); err != nil || reference != want {
		t.Errorf("Push() of a public image = %q, %v; want %q", reference, err, want)
	}
	server.Close()
	if _, err := folder.Push(t.Context(), New(content, component.Pause)); err == nil || !strings.Contains(err.Error(), "docker login "+host) {
		t.Errorf("Push() to a closed port = %v", err)
	}
}

func wantPulled(t *testing.T, reference string, digest v1.Hash) {
	t.Helper()
	parsed, err := ref.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(parsed, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := pulled.Digest(); got != digest || err != nil {
		t.Errorf("digest of %s = %s, %v; want %s", reference, got, err, digest)
	}
}

func TestNewFolder(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "team", "host.example/UPPER", "host:port/x"} {
		if _, err := NewFolder(address); err == nil || !strings.Contains(err.Error(), "HOST[:PORT][/FOLDER]") {
			t.Errorf("NewFolder(%q) = %v", address, err)
		}
	}
}

// Clusters pull public images by digest, if one is pinned.
func TestPublic(t *testing.T) {
	t.Parallel()
	for _, name := range []string{component.CertManager, component.Sample} {
		for _, image := range component.Named(name).Images {
			if _, err := ref.NewDigest(image); err != nil {
				t.Errorf("%s: %v", image, err)
			}
		}
	}
	if _, err := ref.NewTag(component.Named(component.Jaeger).Images[0]); err != nil {
		t.Error(err)
	}
}
