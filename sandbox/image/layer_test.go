package image

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// entry is what a test looks at in an archive.
type entry struct {
	Name, Link, Content string
	Type                byte
	Mode                int64
}

func entries(t *testing.T, archive io.Reader) []entry {
	t.Helper()
	var found []entry
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(time.Unix(0, 0)) || header.Uid != 0 || header.Gid != 0 || header.Uname != "" {
			t.Errorf("%s: time %v, owner %d:%d %q; layers must not tell when and by whom they were made",
				header.Name, header.ModTime, header.Uid, header.Gid, header.Uname)
		}
		found = append(found, entry{header.Name, header.Linkname, string(content), header.Typeflag, header.Mode})
	}
}

func TestWriteLayer(t *testing.T) {
	source := put(t, t.TempDir(), "program", "elf")
	path := filepath.Join(t.TempDir(), "layer.tar")
	err := writeLayer(path, []file{
		{path: "usr/local/bin/program", source: source},
		{path: "usr/local/bin/alias", link: "program"},
		{path: "usr/local/bin/again", same: "usr/local/bin/program"},
		{path: "usr/local/etc/settings", content: "a=b\n", mode: 0o644},
		{path: "var/empty"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{"usr/", "", "", tar.TypeDir, 0o755},
		{"usr/local/", "", "", tar.TypeDir, 0o755},
		{"usr/local/bin/", "", "", tar.TypeDir, 0o755},
		{"usr/local/bin/program", "", "elf", tar.TypeReg, 0o755},
		{"usr/local/bin/alias", "program", "", tar.TypeSymlink, 0o755},
		{"usr/local/bin/again", "usr/local/bin/program", "", tar.TypeLink, 0o755},
		{"usr/local/etc/", "", "", tar.TypeDir, 0o755},
		{"usr/local/etc/settings", "", "a=b\n", tar.TypeReg, 0o644},
		{"var/", "", "", tar.TypeDir, 0o755},
		{"var/empty/", "", "", tar.TypeDir, 0o755},
	}
	if diff := cmp.Diff(want, entries(t, bytes.NewReader([]byte(read(t, path))))); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestWriteLayerIsDeterministic(t *testing.T) {
	layer := func(when time.Time, mode os.FileMode) string {
		source := put(t, t.TempDir(), "program", "elf")
		if err := os.Chtimes(source, when, when); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(source, mode); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "layer.tar")
		if err := writeLayer(path, []file{{path: "bin/program", source: source}, {path: "bin/link", link: "program"}}); err != nil {
			t.Fatal(err)
		}
		return read(t, path)
	}
	if layer(time.Unix(1, 0), 0o700) != layer(time.Unix(2_000_000_000, 5), 0o644) {
		t.Error("times or modes of the source files are in the layer")
	}
}

func TestWriteLayerNamesTheFileThatIsMissing(t *testing.T) {
	err := writeLayer(filepath.Join(t.TempDir(), "layer.tar"), []file{{path: "bin/program", source: filepath.Join(t.TempDir(), "none")}})
	if !errors.Is(err, os.ErrNotExist) || err.Error()[:len("writing bin/program into a layer")] != "writing bin/program into a layer" {
		t.Errorf("error %v", err)
	}
}

func TestOpenLayer(t *testing.T) {
	const content = "any bytes"
	sum := sha256.Sum256([]byte(content))
	layer, err := openLayer(put(t, t.TempDir(), "layer.tar", content))
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
	if layer.digest != want || layer.size != int64(len(content)) {
		t.Errorf("digest %s, size %d; want %s, %d", layer.digest, layer.size, want, len(content))
	}
	if _, err := openLayer(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error of a missing layer: %v", err)
	}
}

// testImage is an image of one small program, made as the sandbox's own are.
func testImage(t *testing.T, program, content string) v1.Image {
	t.Helper()
	b := &Builder{Cache: t.TempDir(), Arch: "amd64"}
	image, err := b.single(program, put(t, t.TempDir(), program, content), program, "0123456789abcdef", v1.Config{User: "1000"})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestAssembledImageIsValid(t *testing.T) {
	image := testImage(t, "program", "elf")
	manifest, err := image.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 || len(manifest.Layers) != 1 {
		t.Fatalf("layers %v and %v, %v", layers, manifest.Layers, err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	digest, size, err := v1.SHA256(content)
	if err != nil {
		t.Fatal(err)
	}
	if m := manifest.Layers[0]; m.Digest != digest || m.Size != size || m.MediaType != types.OCIUncompressedLayer {
		t.Errorf("the manifest says %+v of a layer of %d bytes and digest %s", m, size, digest)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture != "amd64" || config.Config.User != "1000" ||
		!cmp.Equal(config.Config.Entrypoint, []string{"/program"}) || !cmp.Equal(config.RootFS.DiffIDs, []v1.Hash{digest}) {
		t.Errorf("configuration %+v", config)
	}
}

func TestEqualInputsGiveEqualImages(t *testing.T) {
	digest := func(content string) string {
		d, err := Image{Names: []string{"x"}, image: testImage(t, "program", content)}.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if first, second := digest("one"), digest("one"); first != second {
		t.Error("equal inputs gave different images")
	}
	if digest("one") == digest("two") {
		t.Error("different inputs gave the same image")
	}
}

func TestArchiveReadsBack(t *testing.T) {
	images := []Image{
		{Names: []string{"localhost/a:1", "localhost/other:2"}, image: testImage(t, "a", "program a")},
		{Names: []string{"localhost/b:1"}, image: testImage(t, "b", "program b")},
	}
	path := filepath.Join(t.TempDir(), "images.tar")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Archive(out, images...); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	for _, i := range images {
		for _, n := range i.Names {
			tag, err := name.NewTag(n)
			if err != nil {
				t.Fatal(err)
			}
			found, err := tarball.ImageFromPath(path, &tag)
			if err != nil {
				t.Fatalf("finding %s: %v", n, err)
			}
			if err := validate.Image(found); err != nil {
				t.Errorf("%s: %v", n, err)
			}
			want, got := diffIDs(t, i.image), diffIDs(t, found)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("layers of %s (-want +got):\n%s", n, diff)
			}
		}
	}
}

func diffIDs(t *testing.T, image v1.Image) []v1.Hash {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config.RootFS.DiffIDs
}

func TestArchiveNamesABadName(t *testing.T) {
	err := Archive(io.Discard, Image{Names: []string{"Upper/Case:1"}, image: testImage(t, "a", "a")})
	if err == nil || err.Error()[:len(`reading the image name "Upper/Case:1"`)] != `reading the image name "Upper/Case:1"` {
		t.Errorf("error %v", err)
	}
}

func TestLayerIsMadeOnce(t *testing.T) {
	b := &Builder{Cache: t.TempDir()}
	made := 0
	files := func(scratch string) ([]file, error) {
		made++
		return []file{{path: "f", source: put(t, scratch, "f", "text")}}, nil
	}
	for range 2 {
		if _, err := b.layer("name", "key", files); err != nil {
			t.Fatal(err)
		}
	}
	if made != 1 {
		t.Errorf("made %d times", made)
	}
	if diff := cmp.Diff([]string{sizesFile, "layer.tar", "layer.tar.digest"}, names(t, filepath.Join(b.Cache, "layers", "name-key"))); diff != "" {
		t.Errorf("the layer's folder (-want +got):\n%s", diff)
	}
}
