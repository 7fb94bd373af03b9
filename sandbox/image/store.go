package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// store keeps what was pulled: the blobs of an OCI image layout. Digests are what things are found by, so it needs no index.
// Blobs are held against their digests on their way in, and the small ones on their way out too.
type store struct{ path layout.Path }

// newStore returns the store in a folder, which need not exist.
func newStore(folder string) store { return store{layout.Path(folder)} }

// keep writes what a registry answered to a reference, and the image that it led to, unless they are there, and returns the
// image as it is stored. A write that breaks off leaves no blob that is taken for a whole one.
func (s store) keep(answer []byte, digest v1.Hash, image v1.Image) (v1.Image, error) {
	manifest, err := image.Digest()
	if err != nil {
		return nil, err
	}
	if kept, err := s.whole(manifest); err == nil {
		s.mark(digest)
		return kept, s.write(digest, answer)
	}
	config, err := image.ConfigName()
	if err != nil {
		return nil, err
	}
	for _, small := range []v1.Hash{manifest, config} {
		if err := s.mend(small); err != nil {
			return nil, err
		}
	}
	s.removeAbandoned()
	if err := s.path.WriteImage(image); err != nil {
		return nil, err
	}
	if err := s.write(digest, answer); err != nil {
		return nil, err
	}
	return Stored(s.path.Blob, manifest)
}

// removeAbandoned removes what commands left that were killed while they wrote a layer, as removeAbandoned of the cache does: files
// whose names go on behind a digest. One that can't be removed costs space, and no more.
func (s store) removeAbandoned() {
	folder := filepath.Join(string(s.path), "blobs", "sha256")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && len(entry.Name()) > hex.EncodedLen(sha256.Size) && time.Since(info.ModTime()) > abandoned {
			_ = os.Remove(filepath.Join(folder, entry.Name()))
		}
	}
}

// write writes a small blob, unless it is there.
func (s store) write(digest v1.Hash, content []byte) error {
	if err := s.mend(digest); err != nil {
		return err
	}
	return s.path.WriteBlob(digest, io.NopCloser(bytes.NewReader(content)))
}

// mend removes a small blob that is not whole: a command was killed while it wrote it.
func (s store) mend(digest v1.Hash) error {
	if _, err := Blobs(s.path.Blob).read(digest); err == nil {
		return nil
	}
	return s.path.RemoveBlob(digest)
}

// find returns the image of a platform that a digest leads to, of an index or of the image itself, if all of it is stored.
func (s store) find(digest v1.Hash, platform v1.Platform) (v1.Image, error) {
	raw, err := Blobs(s.path.Blob).read(digest)
	if err != nil {
		return nil, err
	}
	s.mark(digest)
	if index, err := v1.ParseIndexManifest(bytes.NewReader(raw)); err == nil && index.MediaType.IsIndex() {
		for _, m := range index.Manifests {
			if m.Platform != nil && m.Platform.Satisfies(platform) {
				return s.whole(m.Digest)
			}
		}
		return nil, errors.New("the index has no such platform")
	}
	return s.whole(digest)
}

// whole reads an image whose layers must be there, and marks it as used.
func (s store) whole(manifest v1.Hash) (v1.Image, error) {
	image, err := Stored(s.path.Blob, manifest)
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
