package image

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

// mark notes that blobs are used now, for leftovers. Those of a cache that only can be read stay unmarked.
func (s store) mark(blobs ...v1.Hash) {
	now := time.Now()
	for _, blob := range blobs {
		_ = os.Chtimes(s.file(blob), now, now)
	}
}

func (s store) file(blob v1.Hash) string {
	return filepath.Join(string(s.path), "blobs", blob.Algorithm, blob.Hex)
}

// pinned are the digests of the images that this version asks for.
func pinned() []string {
	_, node, _ := strings.Cut(defaults.Image, "@")
	return append(slices.Collect(maps.Values(digests)), node)
}

// leftovers lists the blobs that were not used since a time and that no image has which is pinned.
func (s store) leftovers(since time.Time, pinned []string) (found []Leftover) {
	needed := map[string]bool{}
	for _, digest := range pinned {
		s.need(digest, needed)
	}
	folder := filepath.Join(string(s.path), "blobs", "sha256")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil // Nothing was pulled.
	}
	for _, entry := range entries {
		limit := since
		if len(entry.Name()) > hex.EncodedLen(sha256.Size) { // One that is being written.
			limit = earlier(since, time.Now().Add(-abandoned))
		}
		path := filepath.Join(folder, entry.Name())
		if used := usedAt(path); used.Before(limit) && !needed[entry.Name()] {
			found = append(found, Leftover{Path: path, Used: used})
		}
	}
	return found
}

// need adds the blob of a digest to those that are needed, and those that it names: of an index or an image.
func (s store) need(digest string, needed map[string]bool) {
	blob, err := v1.NewHash(digest)
	if err != nil || needed[blob.Hex] {
		return
	}
	needed[blob.Hex] = true
	content, err := Blobs(s.path.Blob).read(blob)
	if err != nil {
		return // It was not pulled, or not for this platform.
	}
	var names struct {
		Manifests, Layers []struct{ Digest string }
		Config            struct{ Digest string }
	}
	if json.Unmarshal(content, &names) != nil {
		return
	}
	for _, m := range names.Manifests {
		s.need(m.Digest, needed)
	}
	for _, l := range append(names.Layers, names.Config) {
		if blob, err := v1.NewHash(l.Digest); err == nil {
			needed[blob.Hex] = true
		}
	}
}
