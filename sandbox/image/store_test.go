package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What killed commands left beside the blobs goes when it is old; blobs stay, and so does what another command may be writing.
func TestPullRemovesWhatWasAbandoned(t *testing.T) {
	transport := answeredBy(t, quietRegistry())
	publish(t, transport, Pause)
	r := puller(t, transport, "amd64")
	blob := strings.Repeat("a", 64)
	old := time.Now().Add(-2 * abandoned)
	for name, used := range map[string]time.Time{blob: old, blob + "123": old, blob + "456": time.Now()} {
		path := put(t, r.builder.Cache, filepath.Join("registry", "blobs", "sha256", name), "content")
		if err := os.Chtimes(path, used, used); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.pull(t.Context(), nil, Pause); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{blob: true, blob + "123": false, blob + "456": true} {
		if got := fileExists(filepath.Join(r.builder.Cache, "registry", "blobs", "sha256", name)); got != want {
			t.Errorf("%s is there: %t, want %t", name[60:], got, want)
		}
	}
}
