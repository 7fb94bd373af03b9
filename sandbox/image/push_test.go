package image

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestPush pushes to a registry of this process, and pulls by the reference that a cluster gets.
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
			t.Fatalf("pushed as %q, %v; want %q", reference, err, wanted)
		}
		wantPulled(t, reference, digest)
	}
	folder, err := NewFolder(host)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := folder.Push(t.Context(), New(content, Pause))
	if want := host + "/pause@" + digest.String(); err != nil || reference != want {
		t.Errorf("another's image is pushed as %q, %v; want %q", reference, err, want)
	}
	server.Close()
	if _, err := folder.Push(t.Context(), New(content, Pause)); err == nil || !strings.Contains(err.Error(), "docker login "+host) {
		t.Errorf("a registry that is gone: %v", err)
	}
}

func wantPulled(t *testing.T, reference string, digest v1.Hash) {
	t.Helper()
	parsed, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(parsed, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := pulled.Digest(); got != digest || err != nil {
		t.Errorf("%s has the digest %s, %v", reference, got, err)
	}
}

func TestNewFolder(t *testing.T) {
	for _, address := range []string{"", "team", "host.example/UPPER", "host:port/x"} {
		if _, err := NewFolder(address); err == nil || !strings.Contains(err.Error(), "HOST[:PORT][/FOLDER]") {
			t.Errorf("%q: error %v", address, err)
		}
	}
}

// TestPublic: what a cluster pulls itself has its digest, as far as one is pinned.
func TestPublic(t *testing.T) {
	for _, reference := range PublicCertManager() {
		if _, err := name.NewDigest(reference); err != nil {
			t.Errorf("%s: %v", reference, err)
		}
	}
	if _, err := name.NewTag(PublicJaeger()); err != nil {
		t.Error(err)
	}
}
