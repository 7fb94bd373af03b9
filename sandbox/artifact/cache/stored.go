package cache

import (
	"bytes"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Blobs opens a blob of an OCI image layout by its digest. It must be safe for concurrent use.
type Blobs func(v1.Hash) (io.ReadCloser, error)

// ReadImage reads an image from an OCI image layout, by its manifest's digest. It verifies the digests
// of the manifest and the configuration. It opens layers only when they are used, and does not verify
// them. Unlike layout.Path.Image it also reads layouts inside other files.
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

// stored is an image in a layout.
type stored struct {
	blobs            Blobs
	manifest, config []byte
	parsed           *v1.Manifest
}

// MediaType returns the manifest's type. An OCI manifest can omit it.
func (s *stored) MediaType() (types.MediaType, error) {
	if s.parsed.MediaType == "" {
		return types.OCIManifestSchema1, nil
	}
	return s.parsed.MediaType, nil
}

// RawManifest returns the manifest.
func (s *stored) RawManifest() ([]byte, error) { return s.manifest, nil }

// RawConfigFile returns the configuration.
func (s *stored) RawConfigFile() ([]byte, error) { return s.config, nil }

// LayerByDigest returns a layer, or the configuration, which counts as a layer here.
func (s *stored) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	for _, descriptor := range append([]v1.Descriptor{s.parsed.Config}, s.parsed.Layers...) {
		if descriptor.Digest == digest {
			return storedLayer{s.blobs, descriptor}, nil
		}
	}
	return nil, fmt.Errorf("finding layer %s: no such layer in the manifest", digest)
}

// storedLayer is a layer in a layout.
type storedLayer struct {
	blobs      Blobs
	descriptor v1.Descriptor
}

// Digest returns the digest of the stored layer.
func (l storedLayer) Digest() (v1.Hash, error) { return l.descriptor.Digest, nil }

// Compressed opens the stored layer.
func (l storedLayer) Compressed() (io.ReadCloser, error) { return l.blobs(l.descriptor.Digest) }

// Size returns the size of the stored layer.
func (l storedLayer) Size() (int64, error) { return l.descriptor.Size, nil }

// MediaType returns the type in the manifest.
func (l storedLayer) MediaType() (types.MediaType, error) { return l.descriptor.MediaType, nil }
