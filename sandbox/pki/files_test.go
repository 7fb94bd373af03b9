package pki

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestErrorsNameTheFileAndWrapTheSystemError(t *testing.T) {
	tests := map[string]func(Store) error{
		"authority":   func(s Store) error { _, _, err := s.Authority("ca"); return err },
		"signing key": func(s Store) error { _, _, _, err := s.SigningKey("sa"); return err },
		"file":        func(s Store) error { return WriteFile(filepath.Join(s.Dir, "f"), nil, 0o600) },
	}
	for name, call := range tests {
		t.Run(name+" below a file", func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "file")
			write(t, file, nil)
			s := Store{Dir: filepath.Join(file, "pki")}
			if err := call(s); !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), s.Dir) {
				t.Errorf("error = %v, want %v and %s", err, syscall.ENOTDIR, s.Dir)
			}
		})
	}
	for _, path := range []string{"ca.key", "ca.crt"} {
		t.Run("a folder called "+path, func(t *testing.T) {
			s := Store{Dir: t.TempDir()}
			inside := filepath.Join(s.Dir, path, "file")
			if err := WriteFile(inside, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := s.Authority("ca")
			if err == nil || !strings.Contains(err.Error(), filepath.Join(s.Dir, path)) {
				t.Errorf("error = %v, want one that names %s", err, path)
			}
			read(t, inside) // It is not ours to remove.
		})
	}
}

func TestStoreRefusesNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "/a"} {
		s := Store{Dir: filepath.Join(t.TempDir(), "pki")}
		if _, _, err := s.Authority(name); err == nil {
			t.Errorf("Authority(%q) = nil, want an error", name)
		}
		if _, _, _, err := s.SigningKey(name); err == nil {
			t.Errorf("SigningKey(%q) = nil, want an error", name)
		}
		if _, err := os.Stat(s.Dir); err == nil {
			t.Errorf("the invalid name %q created the folder", name)
		}
	}
}

func TestWriteFileIsAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	contents := [][]byte{bytes.Repeat([]byte("a"), 1<<20), bytes.Repeat([]byte("b"), 1<<19)}
	if err := WriteFile(path, contents[0], 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() {
		defer close(done)
		for n := range 50 {
			if err := WriteFile(path, contents[n%2], 0o600); err != nil {
				t.Error(err)
			}
		}
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if got := read(t, path); !bytes.Equal(got, contents[0]) && !bytes.Equal(got, contents[1]) {
			t.Fatalf("read %d bytes that are neither content", len(got))
		}
	}
	checkMode(t, path, 0o600)
}
