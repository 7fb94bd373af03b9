package rig

import (
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// WithoutGo returns a folder with links to every program on PATH except Go's.
func WithoutGo(t *testing.T) string {
	t.Helper()
	links := t.TempDir()
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			continue // PATH may name a missing folder.
		}
		for _, entry := range entries {
			if name := entry.Name(); name != "go" && name != "gofmt" {
				// Of programs with the same name, the first on PATH counts.
				if err := os.Symlink(filepath.Join(folder, name), filepath.Join(links, name)); err != nil && !os.IsExist(err) {
					t.Fatal(err)
				}
			}
		}
	}
	return links
}

// ClosedProxy starts a proxy that closes every connection, and counts them. It stops when the test
// ends.
func ClosedProxy(t *testing.T) (address string, asked *atomic.Int64) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = &atomic.Int64{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			_ = connection.Close() // The client sees an error.
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close() // It ends the goroutine.
		<-ended
	})
	return "http://" + listener.Addr().String(), asked
}
