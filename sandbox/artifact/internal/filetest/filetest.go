// Package filetest creates and reads files in the tests of artifact and of the packages below it.
package filetest

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Put writes a file below a folder, and creates the folders above it. It returns the file's path.
func Put(t *testing.T, folder, path, content string) string {
	t.Helper()
	full := filepath.Join(folder, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return full
}

// Read returns the content of a file.
func Read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Names lists the entries of a folder, hidden ones too.
func Names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Exists reports whether a file or folder exists.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// UsedAgo sets the time of a file or folder's last use.
func UsedAgo(t *testing.T, path string, ago time.Duration) {
	t.Helper()
	past := time.Now().Add(-ago)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
}

// Entry is an entry of an archive.
type Entry struct {
	Name, Link, Content string
	Type                byte
	Mode                int64
}

// Entries returns the entries of a layer, and checks that they have fixed times and owners.
func Entries(t *testing.T, archive io.Reader) []Entry {
	t.Helper()
	var found []Entry
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
			t.Errorf("%s: time %v, owner %d:%d %q; want fixed values",
				header.Name, header.ModTime, header.Uid, header.Gid, header.Uname)
		}
		found = append(found, Entry{header.Name, header.Linkname, string(content), header.Typeflag, header.Mode})
	}
}
