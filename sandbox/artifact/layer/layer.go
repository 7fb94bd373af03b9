// Package layer writes and reads layers of container images.
package layer

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// File is an entry of a layer. At most one of Source, Content, Link and Same is set; if none is,
// the entry is a folder.
type File struct {
	Path    string // in the image, without a leading slash
	Source  string // a file to copy
	Content string
	Link    string // target of a symbolic link
	Same    string // path of an earlier file of the layer that this is a hard link to
	Mode    int64  // 0 means 0755
}

// Write writes files to an uncompressed archive. Equal files result in equal bytes: owners and
// times are fixed.
func Write(archive string, files []File) (err error) {
	out, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	writer := tar.NewWriter(out)
	created := map[string]bool{".": true}
	for _, f := range files {
		if err := writeParents(writer, f.Path, created); err != nil {
			return err
		}
		if err := f.write(writer); err != nil {
			return fmt.Errorf("writing %s into a layer: %w", f.Path, err)
		}
	}
	return writer.Close()
}

// writeParents writes the folders above a file, because some image stores refuse files without
// them.
func writeParents(archive *tar.Writer, file string, created map[string]bool) error {
	parent := path.Dir(file)
	if created[parent] {
		return nil
	}
	if err := writeParents(archive, parent, created); err != nil {
		return err
	}
	created[parent] = true
	return File{Path: parent}.write(archive)
}

func (f File) write(archive *tar.Writer) error {
	header := &tar.Header{Name: f.Path, Mode: f.Mode, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if header.Mode == 0 {
		header.Mode = 0o755
	}
	switch {
	case f.Source != "":
		return f.copy(archive, header)
	case f.Link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, f.Link
	case f.Same != "":
		header.Typeflag, header.Linkname = tar.TypeLink, f.Same
	case f.Content != "":
		header.Typeflag, header.Size = tar.TypeReg, int64(len(f.Content))
	default:
		header.Typeflag, header.Name = tar.TypeDir, f.Path+"/"
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.WriteString(archive, f.Content)
	return err
}

func (f File) copy(archive *tar.Writer, header *tar.Header) error {
	in, err := os.Open(f.Source)
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

// archived is a layer that is an uncompressed archive on disk. The file layers of
// go-containerregistry are always compressed, which gains nothing for images that cross a pipe to a
// local container engine.
type archived struct {
	path   string
	digest v1.Hash
	size   int64
}

// Open returns the uncompressed layer in an archive. The archive must never change: its digest is
// computed once and then read from a file beside it, because hashing half a gigabyte would take a
// good part of an up that has nothing else to do.
func Open(archive string) (v1.Layer, error) {
	info, err := os.Stat(archive)
	if err != nil {
		return nil, fmt.Errorf("opening a layer: %w", err)
	}
	layer := archived{path: archive, size: info.Size()}
	known := archive + ".digest"
	if data, err := os.ReadFile(known); err == nil {
		var size int64
		var digest string
		if _, err := fmt.Sscanf(string(data), "%d %s", &size, &digest); err == nil && size == layer.size {
			if layer.digest, err = v1.NewHash(digest); err == nil {
				return layer, nil
			}
		}
	}
	in, err := os.Open(archive)
	if err != nil {
		return nil, fmt.Errorf("opening a layer: %w", err)
	}
	defer in.Close()
	if layer.digest, _, err = v1.SHA256(in); err != nil {
		return nil, fmt.Errorf("reading layer %s: %w", archive, err)
	}
	// If the file can't be written, the digest is computed again next time.
	_ = os.WriteFile(known, fmt.Appendf(nil, "%d %s\n", layer.size, layer.digest), 0o644)
	return layer, nil
}

// These methods implement v1.Layer. The layer is transferred as it is stored: uncompressed.

func (l archived) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l archived) DiffID() (v1.Hash, error)             { return l.digest, nil }
func (l archived) Compressed() (io.ReadCloser, error)   { return os.Open(l.path) }
func (l archived) Uncompressed() (io.ReadCloser, error) { return os.Open(l.path) }
func (l archived) Size() (int64, error)                 { return l.size, nil }
func (l archived) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }
