package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	source := filetest.Put(t, t.TempDir(), "program", "elf")
	path := filepath.Join(t.TempDir(), "layer.tar")
	err := Write(path, []File{
		{Path: "usr/local/bin/program", Source: source},
		{Path: "usr/local/bin/alias", Link: "program"},
		{Path: "usr/local/bin/again", Same: "usr/local/bin/program"},
		{Path: "usr/local/etc/settings", Content: "a=b\n", Mode: 0o644},
		{Path: "var/empty"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []filetest.Entry{
		{Name: "usr/", Type: tar.TypeDir, Mode: 0o755},
		{Name: "usr/local/", Type: tar.TypeDir, Mode: 0o755},
		{Name: "usr/local/bin/", Type: tar.TypeDir, Mode: 0o755},
		{Name: "usr/local/bin/program", Content: "elf", Type: tar.TypeReg, Mode: 0o755},
		{Name: "usr/local/bin/alias", Link: "program", Type: tar.TypeSymlink, Mode: 0o755},
		{Name: "usr/local/bin/again", Link: "usr/local/bin/program", Type: tar.TypeLink, Mode: 0o755},
		{Name: "usr/local/etc/", Type: tar.TypeDir, Mode: 0o755},
		{Name: "usr/local/etc/settings", Content: "a=b\n", Type: tar.TypeReg, Mode: 0o644},
		{Name: "var/", Type: tar.TypeDir, Mode: 0o755},
		{Name: "var/empty/", Type: tar.TypeDir, Mode: 0o755},
	}
	if diff := cmp.Diff(want, filetest.Entries(t, bytes.NewReader([]byte(filetest.Read(t, path))))); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestWriteIsDeterministic(t *testing.T) {
	t.Parallel()
	layer := func(when time.Time, mode os.FileMode) string {
		source := filetest.Put(t, t.TempDir(), "program", "elf")
		if err := os.Chtimes(source, when, when); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(source, mode); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "layer.tar")
		if err := Write(path, []File{{Path: "bin/program", Source: source}, {Path: "bin/link", Link: "program"}}); err != nil {
			t.Fatal(err)
		}
		return filetest.Read(t, path)
	}
	if layer(time.Unix(1, 0), 0o700) != layer(time.Unix(2_000_000_000, 5), 0o644) {
		t.Error("times or modes of the source files are in the layer")
	}
}

func TestWriteReportsAMissingFile(t *testing.T) {
	t.Parallel()
	err := Write(filepath.Join(t.TempDir(), "layer.tar"), []File{{Path: "bin/program", Source: filepath.Join(t.TempDir(), "none")}})
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "writing bin/program into a layer") {
		t.Errorf("Write() = %v", err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	const content = "any bytes"
	path := filetest.Put(t, t.TempDir(), "layer.tar", content)
	want, size, err := v1.SHA256(strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"computed", "read from the file", "computed again"} {
		opened, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := opened.(archived); got.digest != want || got.size != size {
			t.Errorf("digest %s: Open() = %+v; want %s, %d", state, got, want, size)
		}
		if state == "read from the file" {
			filetest.Put(t, filepath.Dir(path), "layer.tar.digest", "5 sha256:"+strings.Repeat("0", 64))
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open() of a missing layer = %v", err)
	}
}
