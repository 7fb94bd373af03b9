package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// file is one entry of a layer. Exactly one of source, content, link and same says what it is; all empty is a folder.
type file struct {
	path    string // in the image, with no leading slash
	source  string // a file to copy
	content string
	link    string // target of a symbolic link
	same    string // path of a file before it in the layer that this is another name of
	mode    int64  // 0 means 0755
}

// writeLayer writes files as a layer's archive to path. Equal files give equal bytes: owner and times are fixed.
func writeLayer(path string, files []file) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	archive := tar.NewWriter(out)
	made := map[string]bool{".": true}
	for _, f := range files {
		if err := writeParents(archive, f.path, made); err != nil {
			return err
		}
		if err := f.write(archive); err != nil {
			return fmt.Errorf("writing %s into a layer: %w", f.path, err)
		}
	}
	return archive.Close()
}

// writeParents writes the folders above path that are not written yet: some image stores refuse files without them.
func writeParents(archive *tar.Writer, path string, made map[string]bool) error {
	parent := filepath.Dir(path)
	if made[parent] {
		return nil
	}
	if err := writeParents(archive, parent, made); err != nil {
		return err
	}
	made[parent] = true
	return file{path: parent}.write(archive)
}

func (f file) write(archive *tar.Writer) error {
	header := &tar.Header{Name: f.path, Mode: f.mode, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if header.Mode == 0 {
		header.Mode = 0o755
	}
	switch {
	case f.source != "":
		return f.copy(archive, header)
	case f.link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, f.link
		return archive.WriteHeader(header)
	case f.same != "":
		header.Typeflag, header.Linkname = tar.TypeLink, f.same
		return archive.WriteHeader(header)
	case f.content != "":
		header.Typeflag, header.Size = tar.TypeReg, int64(len(f.content))
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err := io.WriteString(archive, f.content)
		return err
	default:
		header.Typeflag, header.Name = tar.TypeDir, f.path+"/"
		return archive.WriteHeader(header)
	}
}

func (f file) copy(archive *tar.Writer, header *tar.Header) error {
	in, err := os.Open(f.source)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, in)
	return err
}

// fileLayer is a layer whose bytes are an uncompressed archive on disk. go-containerregistry's own file layers are
// always compressed; images that only cross a pipe into a container engine on the same machine gain nothing by that.
type fileLayer struct {
	path   string
	digest v1.Hash
	size   int64
}

var _ v1.Layer = fileLayer{}

// openLayer reads an archive's digest, once: it is kept beside the archive with the size that it belongs to, since hashing
// half a gigabyte is a good part of an up that has nothing else to do. Archives in the cache never change.
func openLayer(path string) (fileLayer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileLayer{}, fmt.Errorf("opening a layer: %w", err)
	}
	layer := fileLayer{path: path, size: info.Size()}
	known := path + ".digest"
	if data, err := os.ReadFile(known); err == nil {
		var size int64
		var digest string
		if _, err := fmt.Sscanf(string(data), "%d %s", &size, &digest); err == nil && size == layer.size {
			if layer.digest, err = v1.NewHash(digest); err == nil {
				return layer, nil
			}
		}
	}
	if layer.digest, err = hashLayer(path); err != nil {
		return fileLayer{}, fmt.Errorf("reading layer %s: %w", path, err)
	}
	// Without the file the digest is only computed again.
	_ = os.WriteFile(known, fmt.Appendf(nil, "%d %s\n", layer.size, layer.digest), 0o644)
	return layer, nil
}

func hashLayer(path string) (v1.Hash, error) {
	in, err := os.Open(path)
	if err != nil {
		return v1.Hash{}, err
	}
	defer in.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, in); err != nil {
		return v1.Hash{}, err
	}
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(hash.Sum(nil))}, nil
}

// Digest is the layer's digest, which for an uncompressed layer is its diff id too.
func (l fileLayer) Digest() (v1.Hash, error) { return l.digest, nil }

// DiffID is the digest of the uncompressed archive.
func (l fileLayer) DiffID() (v1.Hash, error) { return l.digest, nil }

// Compressed returns the archive as it is stored and transferred: uncompressed.
func (l fileLayer) Compressed() (io.ReadCloser, error) { return os.Open(l.path) }

// Uncompressed returns the archive.
func (l fileLayer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }

// Size is the archive's size in bytes.
func (l fileLayer) Size() (int64, error) { return l.size, nil }

// MediaType is that of an uncompressed OCI layer.
func (l fileLayer) MediaType() (types.MediaType, error) { return types.OCIUncompressedLayer, nil }
