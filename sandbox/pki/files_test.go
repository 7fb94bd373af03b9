package pki

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/file"
)

func TestErrorsNameTheFileAndWrapTheSystemError(t *testing.T) {
	tests := map[string]func(Store) error{
		"authority":   func(s Store) error { _, _, err := s.Authority("ca"); return err },
		"signing key": func(s Store) error { _, _, _, err := s.SigningKey("sa"); return err },
	}
	for name, call := range tests {
		t.Run(name+" below a file", func(t *testing.T) {
			plain := filepath.Join(t.TempDir(), "file")
			write(t, plain, nil)
			s := Store{Dir: filepath.Join(plain, "pki")}
			if err := call(s); !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), s.Dir) {
				t.Errorf("error = %v, want %v and %s", err, syscall.ENOTDIR, s.Dir)
			}
		})
	}
	for _, path := range []string{"ca.key", "ca.crt"} {
		t.Run("a folder called "+path, func(t *testing.T) {
			s := Store{Dir: t.TempDir()}
			inside := filepath.Join(s.Dir, path, "file")
			if err := file.Write(inside, nil, 0o600); err != nil {
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
