package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestOCILayout tests that an OCI layout has a valid image with the right program for each
// platform, and that it does not depend on the time of the build.
func TestOCILayout(t *testing.T) {
	t.Parallel()
	s := snapshot{version: "v1.2.3", commit: "c0ffee", time: moment}
	programs := map[string]string{"linux/amd64": "for amd64", "linux/arm64": "for arm64"}
	binaries := []binary{
		{v1.Platform{OS: "linux", Architecture: "amd64"}, []byte("for amd64")},
		{v1.Platform{OS: "linux", Architecture: "arm64"}, []byte("for arm64")},
	}
	first, err := s.ociLayout("operator", binaries)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := s.ociLayout("operator", binaries); err != nil || !bytes.Equal(first, second) {
		t.Errorf("equal programs have different layouts, error %v", err)
	}
	folder := t.TempDir()
	unpack(t, first, folder)
	outer, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	top, err := outer.IndexManifest()
	if err != nil || len(top.Manifests) != 1 || top.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "ghcr.io/operator-tracing/operator:v1.2.3" {
		t.Fatalf("manifest of the layout = %+v, error %v", top, err)
	}
	index, err := outer.ImageIndex(top.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, descriptor := range manifest.Manifests {
		image, err := index.Image(descriptor.Digest)
		if err != nil {
			t.Fatal(err)
		}
		got[descriptor.Platform.String()] = program(t, image, descriptor.Platform)
	}
	if diff := cmp.Diff(programs, got); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
}

// program returns the entry point's content, and checks the configuration of an image.
func program(t *testing.T, image v1.Image, platform *v1.Platform) string {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if !config.Platform().Equals(*platform) || config.Config.User != "65532:65532" || !cmp.Equal(config.Config.Entrypoint, []string{"/operator"}) {
		t.Errorf("configuration for %s = %+v", platform, config)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, error %v, want one", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	files, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	unpack(t, files, folder)
	text, err := os.ReadFile(filepath.Join(folder, "operator"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func unpack(t *testing.T, archive []byte, folder string) {
	t.Helper()
	for reader := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, header.Name)
		if header.Typeflag == tar.TypeDir {
			continue
		}
		content, err := io.ReadAll(reader)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(file), 0o755)
		}
		if err == nil {
			err = os.WriteFile(file, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
