package file

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

func TestWriteNamesTheFileAndWrapsTheSystemError(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "file")
	if err := Write(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(plain, "below", "f")
	if err := Write(path, nil, 0o600); !errors.Is(err, syscall.ENOTDIR) || !strings.Contains(err.Error(), path) {
		t.Errorf("Write = %v, want %v and %s", err, syscall.ENOTDIR, path)
	}
}

// A killed writer can leave a file with another mode.
func TestWriteReplacesALeftover(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path+".new", []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	info, statErr := os.Stat(path)
	if err != nil || statErr != nil || string(data) != "whole" || info.Mode().Perm() != 0o600 {
		t.Errorf("file = %q, %v, %v, %v; want whole with the mode 0600", data, info, err, statErr)
	}
}

func TestWriteIsAtomic(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	contents := [][]byte{bytes.Repeat([]byte("a"), 1<<20), bytes.Repeat([]byte("b"), 1<<19)}
	if err := Write(path, contents[0], 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() {
		defer close(done)
		for n := range 50 {
			if err := Write(path, contents[n%2], 0o600); err != nil {
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
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, contents[0]) && !bytes.Equal(got, contents[1]) {
			t.Fatalf("read %d bytes that are neither content", len(got))
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("Stat = %v, %v; want the mode 0600", info, err)
	}
}
