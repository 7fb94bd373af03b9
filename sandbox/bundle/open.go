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
)

// maxRecord bounds the record of a file that may be anything.
const maxRecord = 1 << 20

// Bundle is a file of images, all of which was read and found as it was written. It may be used by several goroutines. The file
// must not change as long as it is open.
type Bundle struct {
	// Record says what it is for.
	Record Record

	file  *os.File
	files map[string]place
	cache string
	size  int64
	sum   []byte
}

var _ artifact.Provider = (*Bundle)(nil)

// Open opens a bundle and reads it whole, which takes a second or two. What must be a folder on disk is put into cache. A file that
// is no bundle, was cut off or altered, or that check refuses, gives an error with a remedy; check sees the record before the
// rest is read.
func Open(ctx context.Context, path, cache string, check func(Record) error) (*Bundle, error) {
	file, err := os.Open(path)
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
	if !info.Mode().IsRegular() {
		return errors.New("it is no file: name one that `sandbox bundle create` wrote")
	}
	b.size = info.Size()
	if b.Record, err = readRecord(io.NewSectionReader(b.file, 0, b.size)); err != nil {
		return err
	}
	if err := check(b.Record); err != nil {
		return err
	}
	if b.sum, err = checkSum(b.file, b.size, ctx.Err); err != nil {
		return err
	}
	b.files, err = contents(b.file, b.size)
	return err
}

// readRecord reads the first file of an archive, which must be the record.
func readRecord(from io.Reader) (Record, error) {
	var record Record
	archive := tar.NewReader(from)
	first, err := archive.Next()
	if err != nil || first.Name != recordName || first.Size > maxRecord {
		return record, errors.New("it is no bundle of the sandbox, or damaged: name a file that `sandbox bundle create` wrote")
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

// Close closes the file. Images of the bundle can't be read any more then.
func (b *Bundle) Close() error { return b.file.Close() }

// Summary is the bundle in a few words.
func (b *Bundle) Summary() Summary {
	return Summary{File: b.file.Name(), Size: b.size, SHA256: fmt.Sprintf("%x", b.sum), Record: b.Record}
}

// blob opens a blob of the layout.
func (b *Bundle) blob(digest v1.Hash) (io.ReadCloser, error) {
	at, found := b.files[blobFolder+digest.Hex]
	if !found || digest.Algorithm != "sha256" {
		return nil, fmt.Errorf("finding blob %s in the bundle: there is none", digest)
	}
	return io.NopCloser(io.NewSectionReader(b.file, at.offset, at.size)), nil
}

// images reads the images of a role.
func (b *Bundle) images(role string, wanted int) ([]artifact.Image, error) {
	var images []artifact.Image
	for _, entry := range b.Record.Images {
		if entry.Role != role {
			continue
		}
		content, err := cache.ReadImage(b.blob, entry.Digest)
		if err == nil && len(entry.Names) == 0 {
			err = errors.New("it has no name")
		}
		if err != nil {
			return nil, fmt.Errorf("reading the image of the %s in the bundle: %w", role, err)
		}
		images = append(images, artifact.New(content, entry.Names...))
	}
	if len(images) < wanted {
		return nil, fmt.Errorf("reading the bundle: it has %d images of the %s, want %d", len(images), role, wanted)
	}
	return images, nil
}

// Origin returns "bundle".
func (b *Bundle) Origin() string { return "bundle" }

// Images implements artifact.Provider. A sample may have one image with several names.
func (b *Bundle) Images(_ context.Context, component string, _ artifact.Report) ([]artifact.Image, error) {
	wanted := 1
	if component != table.ControlPlane { // All its programs are in the node's image.
		wanted = max(wanted, len(table.Get(component).Programs))
	}
	return b.images(roleOf(component), wanted)
}

// Operator returns the operator's image.
func (b *Bundle) Operator() (artifact.Image, error) { return b.one(table.Operator) }

// Probe returns the image that tests container engines.
func (b *Bundle) Probe() (artifact.Image, error) { return b.one(Probe) }

func (b *Bundle) one(role string) (artifact.Image, error) {
	images, err := b.images(role, 1)
	if err != nil {
		return artifact.Image{}, err
	}
	return images[0], nil
}

// Chart returns the folder of cert-manager's chart, which it writes into the cache if it is not there.
func (b *Bundle) Chart() (string, error) {
	files := map[string][]byte{}
	for name, at := range b.files {
		relative, within := strings.CutPrefix(name, chartFolder)
		if !within {
			continue
		}
		if !filepath.IsLocal(relative) {
			return "", fmt.Errorf("reading cert-manager's chart in the bundle: the path %q leads out of it", relative)
		}
		content := make([]byte, at.size)
		if _, err := b.file.ReadAt(content, at.offset); err != nil {
			return "", fmt.Errorf("reading cert-manager's chart in the bundle: %w", err)
		}
		files[relative] = content
	}
	return cache.EnsureFiles(b.cache, "cert-manager-chart", files)
}
