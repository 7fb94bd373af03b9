package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// layerOf returns an uncompressed layer with one file.
func layerOf(t *testing.T, content string) v1.Layer {
	t.Helper()
	var data bytes.Buffer
	archive := tar.NewWriter(&data)
	if err := archive.WriteHeader(header("program", int64(len(content)))); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return static.NewLayer(data.Bytes(), types.OCIUncompressedLayer)
}

func imageOf(t *testing.T, name string, layers ...v1.Layer) artifact.Image {
	t.Helper()
	content, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layers...)
	if err != nil {
		t.Fatal(err)
	}
	if content, err = mutate.Config(content, v1.Config{Entrypoint: []string{"/" + name}}); err != nil {
		t.Fatal(err)
	}
	return artifact.New(content, "localhost/"+name+":v1", "localhost/"+name+":v2")
}

// some returns the contents of a small bundle with a layer that several images share.
func some(t *testing.T) Contents {
	t.Helper()
	shared := layerOf(t, strings.Repeat("shared", 500))
	c := Contents{
		Platform: "linux/amd64", Sandbox: "v1", Source: "source", Manifests: "sha256:1", Charts: map[string]string{component.CertManager: t.TempDir()},
		Images: map[string][]artifact.Image{
			Probe:                  {imageOf(t, "probe", layerOf(t, "probe"))},
			component.ControlPlane: {imageOf(t, "node", shared, layerOf(t, "node"))},
			component.Jaeger:       {imageOf(t, "jaeger", layerOf(t, "jaeger"))},
			component.Operator:     {imageOf(t, "operator", layerOf(t, "operator"))},
			component.Sample:       {imageOf(t, "pause", layerOf(t, "pause"))},
		},
	}
	for _, program := range component.Named(component.CertManager).Binaries() {
		c.Images[component.CertManager] = append(c.Images[component.CertManager], imageOf(t, program, shared))
	}
	for path, content := range map[string]string{"Chart.yaml": "name: chart\n", "templates/x.yaml": "kind: X\n"} {
		full := filepath.Join(c.Charts[component.CertManager], path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func written(t *testing.T, c Contents) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sandbox.tar")
	if _, err := Create(t.Context(), path, c, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantValid fails unless an image is valid and each layer has its digest. The layers must not be
// compressed.
func wantValid(t *testing.T, content v1.Image) {
	t.Helper()
	if err := validate.Image(content, validate.Fast); err != nil {
		t.Error(err)
	}
	layers, err := content.Layers()
	if err != nil || len(layers) == 0 {
		t.Fatalf("got %d layers, %v, want some", len(layers), err)
	}
	for _, layer := range layers {
		data, err := layer.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := v1.SHA256(data)
		if want, _ := layer.Digest(); err != nil || got != want {
			t.Errorf("digest of a layer = %s, %v, want %s", got, err, want)
		}
	}
}

func anything(Record) error { return nil }

func opened(t *testing.T, path string) *Bundle {
	t.Helper()
	b, err := Open(t.Context(), path, t.TempDir(), anything)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// Open returns the images of Create with their names and digests.
func TestBundleRoundTrip(t *testing.T) {
	t.Parallel()
	c := some(t)
	b := opened(t, written(t, c))
	one := func(i artifact.Image, err error) []artifact.Image {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return []artifact.Image{i}
	}
	all := func(i []artifact.Image, err error) []artifact.Image {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	for _, pair := range []struct {
		what      string
		got, want []artifact.Image
	}{
		{"probe", one(b.Probe()), c.Images[Probe]},
		{"node", all(b.Images(t.Context(), component.ControlPlane, nil)), c.Images[component.ControlPlane]},
		{"cert-manager", all(b.Images(t.Context(), component.CertManager, nil)), c.Images[component.CertManager]},
		{"Jaeger", all(b.Images(t.Context(), component.Jaeger, nil)), c.Images[component.Jaeger]},
		{"operator", one(b.OperatorImage()), c.Images[component.Operator]},
		{"samples", all(b.Images(t.Context(), component.Sample, nil)), c.Images[component.Sample]},
	} {
		if len(pair.got) != len(pair.want) {
			t.Fatalf("%s: got %d images, want %d", pair.what, len(pair.got), len(pair.want))
		}
		for i, got := range pair.got {
			if diff := cmp.Diff(pair.want[i].Names, got.Names); diff != "" {
				t.Errorf("%s: names (-want +got):\n%s", pair.what, diff)
			}
			wantValid(t, got.Content())
			gotDigest, _ := got.Digest()
			wantDigest, _ := pair.want[i].Digest()
			if gotDigest != wantDigest || wantDigest == "" {
				t.Errorf("digest of %s = %q, want %q", pair.what, gotDigest, wantDigest)
			}
		}
	}
	var archive bytes.Buffer
	if err := artifact.Archive(&archive, all(b.Images(t.Context(), component.ControlPlane, nil))...); err != nil || archive.Len() == 0 {
		t.Errorf("Archive: got %d bytes, error %v", archive.Len(), err)
	}
	if b.Origin() != "bundle" || b.Record.CertManager != "v1.21.2" || b.Record.Jaeger != "2.13.0" {
		t.Errorf("Origin = %s, Record = %+v", b.Origin(), b.Record)
	}
	chart, err := b.Chart(component.Named(component.CertManager))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Chart.yaml", "templates/x.yaml"} {
		want, _ := os.ReadFile(filepath.Join(c.Charts[component.CertManager], name))
		if got, err := os.ReadFile(filepath.Join(chart, name)); err != nil || string(got) != string(want) {
			t.Errorf("%s of the chart = %q, %v, want %q", name, got, err, want)
		}
	}
}

// Equal content results in equal bytes. The summary has their hash. Shared layers occur once.
func TestBundleIsReproducible(t *testing.T) {
	t.Parallel()
	c := some(t)
	first, second := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	one, err := Create(t.Context(), first, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Create(t.Context(), second, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, other) || one.SHA256 != two.SHA256 {
		t.Error("two bundles of equal content differ")
	}
	if info, err := os.Stat(first); err != nil || info.Mode() != 0o644 {
		t.Errorf("mode = %v, %v, want 0644", info.Mode(), err)
	}
	hash, size, err := v1.SHA256(bytes.NewReader(data))
	if err != nil || one.SHA256 != hash.Hex || one.Size != size {
		t.Errorf("summary = %s and %d bytes, want %s and %d, %v", one.SHA256, one.Size, hash.Hex, size, err)
	}
	if diff := cmp.Diff(two, opened(t, second).Summary()); diff != "" {
		t.Errorf("Summary of the opened bundle (-want +got):\n%s", diff)
	}
	if count := bytes.Count(data, []byte(strings.Repeat("shared", 500))); count != 1 {
		t.Errorf("the shared layer occurs %d times, want once", count)
	}
}

// Other programs can read the images: the unpacked archive is an OCI image layout.
func TestBundleIsAnImageLayout(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file, err := os.Open(written(t, some(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for archive := tar.NewReader(file); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.ModTime.Unix() != 0 || h.Mode != 0o644 || h.Uid != 0 || h.Uname != "" {
			t.Errorf("header of %s = %+v, want no time and no user", h.Name, h)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index, validate.Fast); err != nil {
		t.Error(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range manifest.Manifests {
		content, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		wantValid(t, content)
		names = append(names, m.Annotations["org.opencontainers.image.ref.name"])
	}
	if len(names) != 16 || names[0] != "localhost/probe:v1" || names[1] != "localhost/probe:v2" {
		t.Errorf("names = %q", names)
	}
}

// The images of a component that is only in the table are in the bundle.
func TestBundleHasAComponentOfTheTable(t *testing.T) {
	t.Cleanup(component.Add(component.Component{Name: "prometheus", Images: []string{"quay.io/prometheus/prometheus:v3.7.3"}}))
	c := some(t)
	c.Images["prometheus"] = []artifact.Image{imageOf(t, "prometheus", layerOf(t, "prometheus"))}
	b, err := Open(t.Context(), written(t, c), t.TempDir(), Record.Readable)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	images, err := b.Images(t.Context(), "prometheus", nil)
	if err != nil || len(images) != 1 || images[0].Name() != "localhost/prometheus:v1" {
		t.Errorf("Images(prometheus) = %v, %v", images, err)
	}
}
