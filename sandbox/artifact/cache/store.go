package cache

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Store keeps pulled images: the blobs of an OCI image layout, found by their digests. It verifies
// blobs when it writes them, and verifies small blobs again when it reads them.
//
// The layout has no index.json, so layout.Path.GarbageCollect, which is deprecated, can't replace
// [Leftovers]: it needs that file, which concurrent commands would overwrite, and it fails if an index
// names the manifest of a platform that was not pulled, or if a killed command left part of a blob.
// It would replace only needed and its caller.
type Store struct{ path layout.Path }

// NewStore returns the store of a cache folder. The folder need not exist.
func NewStore(folder string) Store { return Store{layout.Path(filepath.Join(folder, registryFolder))} }

func (s Store) blobs() string { return filepath.Join(string(s.path), "blobs", "sha256") }

// Keep stores a registry's response for a digest, and the image that the response led to. It
// returns the stored image. A failed write leaves no blob that is mistaken for a complete one.
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

// Find returns the image for a platform, by the digest of an index or of the image itself. It
// returns an error if part of the image is missing or damaged.
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

// mark records that blobs are used now, for [Leftovers]. In a read-only cache the record is
// skipped.
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

// Blobs opens a blob of an OCI image layout by its digest. It must be safe for concurrent use.
type Blobs func(v1.Hash) (io.ReadCloser, error)

// ReadImage reads an image from an OCI image layout, by its manifest's digest. It verifies the
// digests of the manifest and the configuration. It opens layers only when they are used, and does
// not verify them. Unlike layout.Path.Image it also reads layouts inside other files.
func ReadImage(blobs Blobs, manifest v1.Hash) (v1.Image, error) {
	raw, err := blobs.read(manifest)
	if err != nil {
		return nil, err
	}
	parsed, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("reading manifest %s: %w", manifest, err)
	}
	config, err := blobs.read(parsed.Config.Digest)
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(&stored{blobs: blobs, manifest: raw, parsed: parsed, config: config})
}

// read returns a small blob and verifies its digest.
func (b Blobs) read(digest v1.Hash) ([]byte, error) {
	file, err := b(digest)
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", digest, err)
	}
	defer file.Close()
	var content bytes.Buffer
	got, _, err := v1.SHA256(io.TeeReader(file, &content))
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", digest, err)
	}
	if got != digest {
		return nil, fmt.Errorf("reading blob %s: its digest is %s", digest, got)
	}
	return content.Bytes(), nil
}

// stored implements partial.CompressedImageCore.
type stored struct {
	blobs            Blobs
	manifest, config []byte
	parsed           *v1.Manifest
}

func (s *stored) RawManifest() ([]byte, error)   { return s.manifest, nil }
func (s *stored) RawConfigFile() ([]byte, error) { return s.config, nil }

// MediaType returns the manifest's type. An OCI manifest can omit it.
func (s *stored) MediaType() (types.MediaType, error) {
	return cmp.Or(s.parsed.MediaType, types.OCIManifestSchema1), nil
}

// LayerByDigest returns a layer, or the configuration, which counts as a layer here.
func (s *stored) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	for _, descriptor := range append([]v1.Descriptor{s.parsed.Config}, s.parsed.Layers...) {
		if descriptor.Digest == digest {
			return storedLayer{s.blobs, descriptor}, nil
		}
	}
	return nil, fmt.Errorf("finding layer %s: no such layer in the manifest", digest)
}

// storedLayer implements partial.CompressedLayer.
type storedLayer struct {
	blobs      Blobs
	descriptor v1.Descriptor
}

func (l storedLayer) Digest() (v1.Hash, error)            { return l.descriptor.Digest, nil }
func (l storedLayer) Compressed() (io.ReadCloser, error)  { return l.blobs(l.descriptor.Digest) }
func (l storedLayer) Size() (int64, error)                { return l.descriptor.Size, nil }
func (l storedLayer) MediaType() (types.MediaType, error) { return l.descriptor.MediaType, nil }
