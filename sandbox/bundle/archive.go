package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// Names in the archive. Everything else of it is of the OCI image layout, or below chartFolder.
const (
	recordName  = "sandbox-bundle.json"
	layoutName  = "oci-layout"
	indexName   = "index.json"
	blobFolder  = "blobs/sha256/"
	chartFolder = "cert-manager-chart/"
	trailerName = "sandbox-bundle.sha256"
)

// header is that of a file in the archive. It has nothing of the day or of the user.
func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
}

// writer writes an archive and hashes it.
type writer struct {
	archive *tar.Writer
	out     io.Writer
	hash    hash.Hash
	size    int64
}

func newWriter(out io.Writer) *writer {
	w := &writer{hash: sha256.New()}
	w.out = io.MultiWriter(out, w.hash, (*counter)(&w.size))
	w.archive = tar.NewWriter(w.out)
	return w
}

// counter counts bytes.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(data []byte) (int, error) {
	*c += counter(len(data))
	return len(data), nil
}

// file writes a file of the archive.
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

// trailer is the end of an archive whose bytes before it have a hash: a last file, and what a tar archive ends with. Its size
// is always the same.
func trailer(sum []byte) []byte {
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	text := fmt.Appendf(nil, "%x\n", sum)
	// A buffer takes everything.
	_ = archive.WriteHeader(header(trailerName, int64(len(text))))
	_, _ = archive.Write(text)
	_ = archive.Close()
	return out.Bytes()
}

// trailerSize is the size of every trailer.
var trailerSize = int64(len(trailer(make([]byte, sha256.Size))))

// errDamaged says that a file is not what was written.
var errDamaged = errors.New("it was cut off or altered: copy it again, or make it anew")

// checkSum reads a whole file and holds it against its trailer. It returns the SHA-256 of the file.
func checkSum(file io.ReaderAt, size int64, goOn func() error) ([]byte, error) {
	if size < trailerSize {
		return nil, errDamaged
	}
	sum := sha256.New()
	content := io.NewSectionReader(file, 0, size-trailerSize)
	for {
		if err := goOn(); err != nil {
			return nil, err
		}
		if _, err := io.CopyN(sum, content, 16<<20); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	end := make([]byte, trailerSize)
	if _, err := file.ReadAt(end, size-trailerSize); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(end, trailer(sum.Sum(nil))) {
		return nil, errDamaged
	}
	_, _ = sum.Write(end) // A hash takes everything.
	return sum.Sum(nil), nil
}

// place is where a file of the archive is.
type place struct{ offset, size int64 }

// contents lists the files of an archive without reading them.
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
		files[h.Name] = place{offset, h.Size}
	}
}
