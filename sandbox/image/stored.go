package image

import (
	"bytes"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Blobs opens a blob of an OCI image layout by its digest. It may be called from several goroutines.
type Blobs func(v1.Hash) (io.ReadCloser, error)

// Stored reads an image out of an OCI image layout, by its manifest's digest. Manifest and configuration are held against
// their digests; the layers are read when they are asked for, and are not.
func Stored(blobs Blobs, manifest v1.Hash) (v1.Image, error) {
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

// read returns a small blob, which has its digest.
func (b Blobs) read(digest v1.Hash) (content []byte, err error) {
	file, err := b(digest)
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", digest, err)
	}
	defer file.Close()
	content, err = io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", digest, err)
	}
	got, _, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("reading blob %s: %w", digest, err)
	}
	if got != digest {
		return nil, fmt.Errorf("reading blob %s: its digest is %s", digest, got)
	}
	return content, nil
}

// stored is an image in a layout.
type stored struct {
	blobs            Blobs
	manifest, config []byte
	parsed           *v1.Manifest
}

var _ partial.CompressedImageCore = (*stored)(nil)

// MediaType is the manifest's. An OCI manifest may leave its own out.
func (s *stored) MediaType() (types.MediaType, error) {
	if s.parsed.MediaType == "" {
		return types.OCIManifestSchema1, nil
	}
	return s.parsed.MediaType, nil
}

// RawManifest is the manifest as it is stored.
func (s *stored) RawManifest() ([]byte, error) { return s.manifest, nil }

// RawConfigFile is the configuration as it is stored.
func (s *stored) RawConfigFile() ([]byte, error) { return s.config, nil }

// LayerByDigest finds a layer, or the configuration, which counts as one.
func (s *stored) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	for _, descriptor := range append([]v1.Descriptor{s.parsed.Config}, s.parsed.Layers...) {
		if descriptor.Digest == digest {
			return storedLayer{s.blobs, descriptor}, nil
		}
	}
	return nil, fmt.Errorf("finding layer %s: the manifest has none of that digest", digest)
}

// storedLayer is a layer in a layout.
type storedLayer struct {
	blobs      Blobs
	descriptor v1.Descriptor
}

// Digest is the layer's, as it is stored.
func (l storedLayer) Digest() (v1.Hash, error) { return l.descriptor.Digest, nil }

// Compressed opens the layer as it is stored.
func (l storedLayer) Compressed() (io.ReadCloser, error) { return l.blobs(l.descriptor.Digest) }

// Size is that of the layer as it is stored.
func (l storedLayer) Size() (int64, error) { return l.descriptor.Size, nil }

// MediaType is what the manifest says.
func (l storedLayer) MediaType() (types.MediaType, error) { return l.descriptor.MediaType, nil }
