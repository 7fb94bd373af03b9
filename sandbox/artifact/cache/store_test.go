package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

var amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}

// keep stores the image for amd64 of an index with two platforms. It returns the index's digest.
func keep(t *testing.T, s Store) v1.Hash {
	t.Helper()
	var index v1.ImageIndex = empty.Index
	var own v1.Image
	for _, platform := range []v1.Platform{{OS: "linux", Architecture: "arm64"}, amd64} {
		image, err := random.Image(256, 1)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
		own = image
	}
	raw, err := index.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := s.Keep(raw, digest, own)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(kept); err != nil {
		t.Error(err)
	}
	return digest
}

func TestStoreFind(t *testing.T) {
	t.Parallel()
	s := NewStore(t.TempDir())
	digest := keep(t, s)
	image, err := s.Find(digest, amd64)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(manifest, amd64); err != nil {
		t.Errorf("Find() by the image's own digest = %v", err)
	}
	for arch, want := range map[string]error{"arm64": fs.ErrNotExist, "s390x": nil} {
		_, err := s.Find(digest, v1.Platform{OS: "linux", Architecture: arch})
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("Find() for %s = %v", arch, err)
		}
	}
}

// Keep deletes old blobs of killed commands. It keeps complete blobs and the blobs of running
// commands.
func TestKeepDeletesAbandonedBlobs(t *testing.T) {
	t.Parallel()
	s := NewStore(t.TempDir())
	blob := strings.Repeat("a", 64)
	for _, name := range []string{blob, blob + "123", blob + "456"} {
		path := filetest.Put(t, s.blobs(), name, "content")
		if name != blob+"456" {
			filetest.UsedAgo(t, path, 2*abandoned)
		}
	}
	keep(t, s)
	for name, want := range map[string]bool{blob: true, blob + "123": false, blob + "456": true} {
		if got := exists(filepath.Join(s.blobs(), name)); got != want {
			t.Errorf("%s exists: %t, want %t", name[60:], got, want)
		}
	}
}

// Old blobs are leftovers, unless they belong to a pinned image. Finding an image counts as use.
func TestLeftoverBlobs(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := NewStore(folder)
	pinned, other := keep(t, s), keep(t, s)
	const each = 4 // index, manifest, configuration, layer
	age := func() {
		blobs := filetest.Names(t, s.blobs())
		if len(blobs) != 2*each {
			t.Fatalf("the store has %d blobs, want %d", len(blobs), 2*each)
		}
		for _, blob := range blobs {
			filetest.UsedAgo(t, filepath.Join(s.blobs(), blob), 2*week)
		}
	}
	leftovers := func(want int, pins ...string) []Leftover {
		t.Helper()
		found, err := Leftovers(folder, UnusedSince(week), nil, pins)
		if err != nil || len(found) != want {
			t.Errorf("Leftovers() with %d pinned = %d blobs, %v; want %d", len(pins), len(found), err, want)
		}
		return found
	}
	age()
	leftovers(0, pinned.String(), other.String())
	leftovers(each, pinned.String())
	if _, err := s.Find(other, amd64); err != nil {
		t.Fatal(err)
	}
	leftovers(0, pinned.String())
	age()
	for _, l := range leftovers(each, pinned.String()) {
		if removed, err := l.Remove(); !removed || err != nil {
			t.Errorf("Remove() of %s = %t, %v", l.Path, removed, err)
		}
	}
	if _, err := s.Find(pinned, amd64); err != nil {
		t.Errorf("Find() of the pinned image = %v", err)
	}
	if _, err := s.Find(other, amd64); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Find() of the other image = %v, want %v", err, fs.ErrNotExist)
	}
}

func TestReadImageVerifiesDigests(t *testing.T) {
	t.Parallel()
	s := NewStore(t.TempDir())
	image, err := s.Find(keep(t, s), amd64)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	for _, blob := range []v1.Hash{config, manifest} {
		if err := os.WriteFile(s.file(blob), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadImage(s.path.Blob, manifest); err == nil || !strings.Contains(err.Error(), blob.String()+": its digest is ") {
			t.Errorf("ReadImage() with another blob %s = %v", blob, err)
		}
	}
}
