package bundle

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	table "github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/input"
)

// maxRecord limits the size of a record, because any file may be opened.
const maxRecord = 1 << 20

// Bundle is an open bundle with a verified checksum. It is safe for concurrent use. The file must
// not change while it is open.
type Bundle struct {
	// Record describes the bundle.
	Record Record

	file  *os.File
	files map[string]place
	cache string
	size  int64
	sum   []byte
}

var _ artifact.Provider = (*Bundle)(nil)

// Open opens a bundle and verifies its checksum, which takes a second or two. Files that must be on
// disk are written into cache. It returns an error with a remedy if the file is not a bundle, is
// truncated or modified, or if check returns an error. It calls check with the record before it
// reads the rest.
func Open(ctx context.Context, path, cache string, check func(Record) error) (*Bundle, error) {
	file, err := input.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the bundle: %w", err)
	}
	b := &Bundle{file: file, cache: cache}
	if err := b.read(ctx, check); err != nil {
		_ = file.Close() // It was only read.
		return nil, fmt.Errorf("reading bundle %s: %w", path, err)
	}
	return b, nil
}

func (b *Bundle) read(ctx context.Context, check func(Record) error) error {
	info, err := b.file.Stat()
	if err != nil {
		return err
	}
	b.size = info.Size()
	if b.Record, err = readRecord(io.NewSectionReader(b.file, 0, b.size)); err != nil {
		return err
	}
	if err := check(b.Record); err != nil {
		return err
	}
	if b.sum, err = checkSum(ctx, b.file, b.size); err != nil {
		return err
	}
	b.files, err = contents(b.file, b.size)
	return err
}

// ReadRecord reads only the record of a bundle. It does not verify the bundle.
func ReadRecord(path string) (Record, error) {
	file, err := input.Open(path)
	if err != nil {
		return Record{}, fmt.Errorf("opening the bundle: %w", err)
	}
	defer file.Close()
	return readRecord(file)
}

// readRecord reads the first file of an archive, which must be the record.
func readRecord(from io.Reader) (Record, error) {
	var record Record
	archive := tar.NewReader(from)
	first, err := archive.Next()
	if err != nil || first.Name != recordName || first.Size > maxRecord {
		return record, fmt.Errorf("not a bundle of the sandbox, or damaged; name a file from %s", hint.Run("bundle", "create"))
	}
	content, err := io.ReadAll(archive)
	if err != nil {
		return record, errDamaged
	}
	if err := json.Unmarshal(content, &record); err != nil {
		return record, errDamaged
	}
	return record, nil
}

// Close closes the file. Afterwards images of the bundle cannot be read.
func (b *Bundle) Close() error { return b.file.Close() }

// Summary returns the summary of the bundle.
func (b *Bundle) Summary() Summary {
	return Summary{File: b.file.Name(), Size: b.size, SHA256: fmt.Sprintf("%x", b.sum), Record: b.Record}
}

func (b *Bundle) blob(digest v1.Hash) (io.ReadCloser, error) {
	at, found := b.files[blobFolder+digest.Hex]
	if !found || digest.Algorithm != "sha256" {
		return nil, fmt.Errorf("finding blob %s in the bundle: not found", digest)
	}
	return io.NopCloser(io.NewSectionReader(b.file, at.offset, at.size)), nil
}

// images returns the images of a role, and an error if there are less than least.
func (b *Bundle) images(role string, least int) ([]artifact.Image, error) {
	var images []artifact.Image
	for _, entry := range b.Record.Images {
		if entry.Role != role {
			continue
		}
		content, err := cache.ReadImage(b.blob, entry.Digest)
		if err == nil && len(entry.Names) == 0 {
			err = errors.New("image has no name")
		}
		if err != nil {
			return nil, fmt.Errorf("reading an image of the %s in the bundle: %w", role, err)
		}
		images = append(images, artifact.New(content, entry.Names...))
	}
	if len(images) < least {
		return nil, fmt.Errorf("reading the bundle: got %d images of the %s, want %d", len(images), role, least)
	}
	return images, nil
}

// Origin returns "bundle".
func (b *Bundle) Origin() string { return "bundle" }

// Images implements artifact.Provider. A sample may have one image with several names.
func (b *Bundle) Images(_ context.Context, component string, _ artifact.Report) ([]artifact.Image, error) {
	wanted := 1
	if component != table.ControlPlane { // All its programs are in the node's image.
		wanted = max(wanted, len(table.Named(component).Programs))
	}
	return b.images(roleOf(component), wanted)
}

// OperatorImage returns the operator's image.
func (b *Bundle) OperatorImage() (artifact.Image, error) { return b.one(table.Operator) }

// Probe returns the image that tests container engines.
func (b *Bundle) Probe() (artifact.Image, error) { return b.one(Probe) }

func (b *Bundle) one(role string) (artifact.Image, error) {
	images, err := b.images(role, 1)
	if err != nil {
		return artifact.Image{}, err
	}
	return images[0], nil
}

// Chart returns the folder of a component's chart. It writes the chart into the cache if it is
// missing.
func (b *Bundle) Chart(c table.Component) (string, error) {
	files := map[string][]byte{}
	for name, at := range b.files {
		relative, within := strings.CutPrefix(name, c.ChartName()+"/")
		if !within {
			continue
		}
		if !filepath.IsLocal(relative) {
			return "", fmt.Errorf("reading %s's chart in the bundle: path %q is outside the chart", c.Name, relative)
		}
		content := make([]byte, at.size)
		if _, err := b.file.ReadAt(content, at.offset); err != nil {
			return "", fmt.Errorf("reading %s's chart in the bundle: %w", c.Name, err)
		}
		files[relative] = content
	}
	return cache.EnsureFiles(b.cache, c.ChartName(), files)
}
