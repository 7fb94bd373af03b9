package pki

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// clock returns a fixed time until a test moves it.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func (c *clock) move(by time.Duration) { c.Time = c.Add(by) }

func newStore(t *testing.T) (Store, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	return Store{Dir: filepath.Join(t.TempDir(), "a folder", "pki"), Now: c.now}, c
}

// authority ensures a CA and checks whether it is new.
func authority(t *testing.T, s Store, name string, want bool) *Authority {
	t.Helper()
	a, created, err := s.Authority(name)
	if err != nil {
		t.Fatal(err)
	}
	if created != want {
		t.Fatalf("Authority(%q) created a new CA: %t, want %t", name, created, want)
	}
	return a
}

// certificate ensures a certificate and checks whether it is new.
func certificate(t *testing.T, a *Authority, r Request, want bool) *Pair {
	t.Helper()
	p, created, err := a.Certificate(r)
	if err != nil {
		t.Fatal(err)
	}
	if created != want {
		t.Fatalf("Certificate(%q) created a new one: %t, want %t", r.Name, created, want)
	}
	return p
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	write(t, to, read(t, from))
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// halve truncates a file to its first half.
func halve(t *testing.T, path string) {
	t.Helper()
	data := read(t, path)
	write(t, path, data[:len(data)/2])
}

func checkMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("mode of %s = %o, want %o", filepath.Base(path), got, want)
	}
}
