package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// Names in the archive. All other files belong to the OCI image layout or are below the folder of a
// component's chart.
const (
	recordName = "sandbox-bundle.json"
	layoutName = "oci-layout"
	indexName  = "index.json"
	blobFolder = "blobs/sha256/"
	// programFolder has the programs of an embedded cluster, by the SHA-256 of their content.
	programFolder = "programs/"
	trailerName   = "sandbox-bundle.sha256"
)

// header returns the header of a file in the archive. It does not depend on the time or the user.
func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
}

type writer struct {
	archive *tar.Writer
	out     io.Writer
	hash    hash.Hash
}

func newWriter(out io.Writer) *writer {
	w := &writer{hash: sha256.New()}
	w.out = io.MultiWriter(out, w.hash)
	w.archive = tar.NewWriter(w.out)
	return w
}

func (w *writer) file(name string, size int64, content io.Reader) error {
	if err := w.archive.WriteHeader(header(name, size)); err != nil {
		return err
	}
	written, err := io.Copy(w.archive, content)
	if err == nil && written != size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (w *writer) bytes(name string, content []byte) error {
	return w.file(name, int64(len(content)), bytes.NewReader(content))
}

// end writes the trailer, and returns the SHA-256 of the whole file.
func (w *writer) end() ([]byte, error) {
	if err := w.archive.Flush(); err != nil {
		return nil, err
	}
	if _, err := w.out.Write(trailer(w.hash.Sum(nil))); err != nil {
		return nil, err
	}
	return w.hash.Sum(nil), nil
}

// trailer returns the end of an archive: a file with the hash of all preceding bytes, and the end
// marker of a tar archive. Its size is constant.
func trailer(sum []byte) []byte {
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	text := fmt.Appendf(nil, "%x\n", sum)
	// Writing to a buffer returns no error.
	_ = archive.WriteHeader(header(trailerName, int64(len(text))))
	_, _ = archive.Write(text)
	_ = archive.Close()
	return out.Bytes()
}

// trailerSize is the size of every trailer.
var trailerSize = int64(len(trailer(make([]byte, sha256.Size))))

// errDamaged means that a file has changed since it was written.
var errDamaged = errors.New("file is truncated or modified; copy it again or create a new bundle")

// checkSum reads a whole file, compares it with its trailer and returns the SHA-256 of the file.
func checkSum(ctx context.Context, file io.ReaderAt, size int64) ([]byte, error) {
	if size < trailerSize {
		return nil, errDamaged
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, ending{ctx, io.NewSectionReader(file, 0, size-trailerSize)}); err != nil {
		return nil, err
	}
	end := make([]byte, trailerSize)
	if _, err := file.ReadAt(end, size-trailerSize); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(end, trailer(sum.Sum(nil))) {
		return nil, errDamaged
	}
	_, _ = sum.Write(end) // A hash returns no error.
	return sum.Sum(nil), nil
}

type place struct{ offset, size int64 }

// contents returns the positions of the files in an archive without reading them.
func contents(file io.ReaderAt, size int64) (map[string]place, error) {
	at := io.NewSectionReader(file, 0, size)
	files := map[string]place{}
	for archive := tar.NewReader(at); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		offset, err := at.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg || h.Size > size-offset { // A sparse file can claim any size.
			return nil, errDamaged
		}
		files[h.Name] = place{offset, h.Size}
	}
}
