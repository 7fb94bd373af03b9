package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// Store keeps pulled images: the blobs of an OCI image layout, found by their digests. It verifies
// blobs when it writes them, and verifies small blobs again when it reads them.
//
// The layout has no index.json, so layout.Path.GarbageCollect can't replace [Leftovers]: it needs that
// file, which concurrent commands would overwrite, and it fails if an index names the manifest of a
// platform that was not pulled, or if a killed command left part of a blob.
type Store struct{ path layout.Path }

// NewStore returns the store of a cache folder. The folder need not exist.
func NewStore(folder string) Store { return Store{layout.Path(filepath.Join(folder, registryFolder))} }

func (s Store) blobs() string { return filepath.Join(string(s.path), "blobs", "sha256") }

// Keep stores a registry's response for a digest, and the image that the response led to. It returns
// the stored image. A failed write leaves no blob that is mistaken for a complete one.
func (s Store) Keep(response []byte, digest v1.Hash, image v1.Image) (v1.Image, error) {
	manifest, err := image.Digest()
	if err != nil {
		return nil, err
	}
	if kept, err := s.complete(manifest); err == nil {
		s.mark(digest)
		return kept, s.write(digest, response)
	}
	config, err := image.ConfigName()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.repair(manifest), s.repair(config)); err != nil {
		return nil, err
	}
	removeAbandoned(s.blobs())
	if err := s.path.WriteImage(image); err != nil {
		return nil, err
	}
	if err := s.write(digest, response); err != nil {
		return nil, err
	}
	return ReadImage(s.path.Blob, manifest)
}

// write writes a small blob, unless it exists.
func (s Store) write(digest v1.Hash, content []byte) error {
	if err := s.repair(digest); err != nil {
		return err
	}
	return s.path.WriteBlob(digest, io.NopCloser(bytes.NewReader(content)))
}

// repair deletes a small blob that a killed command left incomplete.
func (s Store) repair(digest v1.Hash) error {
	if _, err := Blobs(s.path.Blob).read(digest); err == nil {
		return nil
	}
	return s.path.RemoveBlob(digest)
}

// Find returns the image for a platform, by the digest of an index or of the image itself. It returns
// an error if part of the image is missing or damaged.
func (s Store) Find(digest v1.Hash, platform v1.Platform) (v1.Image, error) {
	raw, err := Blobs(s.path.Blob).read(digest)
	if err != nil {
		return nil, err
	}
	s.mark(digest)
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil || !index.MediaType.IsIndex() {
		return s.complete(digest)
	}
	for _, m := range index.Manifests {
		if m.Platform != nil && m.Platform.Satisfies(platform) {
			return s.complete(m.Digest)
		}
	}
	return nil, errors.New("the index has no such platform")
}

// complete reads an image, checks that its layers exist, and marks it as used.
func (s Store) complete(manifest v1.Hash) (v1.Image, error) {
	image, err := ReadImage(s.path.Blob, manifest)
	if err != nil {
		return nil, err
	}
	parsed, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	s.mark(manifest, parsed.Config.Digest)
	for _, layer := range parsed.Layers {
		s.mark(layer.Digest)
		info, err := os.Stat(s.file(layer.Digest))
		if err != nil {
			return nil, err
		}
		if info.Size() != layer.Size {
			return nil, io.ErrUnexpectedEOF
		}
	}
	return image, nil
}

// mark records that blobs are used now, for [Leftovers]. In a read-only cache the record is skipped.
func (s Store) mark(blobs ...v1.Hash) {
	now := time.Now()
	for _, blob := range blobs {
		_ = os.Chtimes(s.file(blob), now, now)
	}
}

func (s Store) file(blob v1.Hash) string {
	return filepath.Join(string(s.path), "blobs", blob.Algorithm, blob.Hex)
}

// needed returns the names of the blobs that belong to the images with these digests.
func (s Store) needed(digests []string) map[string]bool {
	needed := map[string]bool{}
	var add func(digest string)
	add = func(digest string) {
		blob, err := v1.NewHash(digest)
		if err != nil || needed[blob.Hex] {
			return
		}
		needed[blob.Hex] = true
		type descriptor struct{ Digest string }
		var names struct {
			Manifests, Layers []descriptor
			Config            descriptor
		}
		// Layers are large, and are not JSON.
		if info, err := os.Stat(s.file(blob)); err != nil || info.Size() > maxManifest {
			return
		}
		content, err := Blobs(s.path.Blob).read(blob)
		if err != nil || json.Unmarshal(content, &names) != nil {
			return
		}
		for _, d := range append(append(names.Manifests, names.Layers...), names.Config) {
			add(d.Digest)
		}
	}
	for _, digest := range digests {
		add(digest)
	}
	return needed
}

// maxManifest is the largest manifest that registries accept, in bytes.
const maxManifest = 4 << 20
