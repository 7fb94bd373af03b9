package pki

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// clock is a time that stands still until a test moves it.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func (c *clock) move(by time.Duration) { c.Time = c.Add(by) }

func newStore(t *testing.T) (Store, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	return Store{Dir: filepath.Join(t.TempDir(), "a folder", "pki"), Now: c.now}, c
}

// authority makes sure of a CA and checks whether it was made anew.
func authority(t *testing.T, s Store, name string, anew bool) *Authority {
	t.Helper()
	a, made, err := s.Authority(name)
	if err != nil {
		t.Fatal(err)
	}
	if made != anew {
		t.Fatalf("authority %s made anew: %t, want %t", name, made, anew)
	}
	return a
}

// certificate makes sure of a certificate and checks whether it was made anew.
func certificate(t *testing.T, a *Authority, r Request, anew bool) *Pair {
	t.Helper()
	p, made, err := a.Certificate(r)
	if err != nil {
		t.Fatal(err)
	}
	if made != anew {
		t.Fatalf("certificate %s made anew: %t, want %t", r.Name, made, anew)
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

// halve leaves the first half of a file.
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
		t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
	}
}
