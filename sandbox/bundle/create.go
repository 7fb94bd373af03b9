package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	table "github.com/operator-tracing/sandbox/sandbox/component"
)

// Contents is the content of a new bundle.
type Contents struct {
	Platform  string // linux/amd64
	Sandbox   string // version of this program
	Source    string // see Record
	Manifests string // hash of the operator's manifests

	// Images are the images of each component, by its name in the table, and the image of [Probe].
	Images map[string][]artifact.Image
	// Programs are the paths of the programs of an embedded cluster, by component and by the program's
	// name in the table.
	Programs map[string]map[string]string
	// Charts are the folders of the components' charts, by the components' names.
	Charts map[string]string
}

// Summary is a short description of a bundle.
type Summary struct {
	File string `json:"file"`
	// Size is the size of the file in bytes. SHA256 is its hash, as sha256sum prints it.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Record
}

// part is an image and its role.
type part struct {
	role  string
	image artifact.Image
}

func (c Contents) parts() []part {
	names := []string{Probe}
	for _, row := range table.All() {
		names = append(names, row.Name)
	}
	var parts []part
	for _, name := range names {
		for _, image := range c.Images[name] {
			parts = append(parts, part{roleOf(name), image})
		}
	}
	return parts
}

// Create writes a bundle to path. It replaces an existing file only when the bundle is complete.
// report receives the progress and may be nil. When ctx ends, Create deletes the incomplete file.
func Create(ctx context.Context, path string, c Contents, report artifact.Report) (Summary, error) {
	summary, err := create(ctx, path, c, report)
	if err != nil {
		return Summary{}, fmt.Errorf("writing bundle %s: %w", path, err)
	}
	return summary, nil
}

func create(ctx context.Context, path string, c Contents, report artifact.Report) (summary Summary, err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return summary, errors.New("path exists and is not a regular file; choose another path")
	}
	out, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return summary, err
	}
	defer func() {
		if err != nil {
			_ = out.Close()
			_ = os.Remove(out.Name())
		}
	}()
	if summary, err = write(ctx, out, c, report); err != nil {
		return summary, err
	}
	summary.File = path
	err = errors.Join(out.Sync(), out.Chmod(0o644), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), path)
	}
	return summary, err
}

func write(ctx context.Context, out io.Writer, c Contents, report artifact.Report) (Summary, error) {
	record, index, blobs, err := c.describe()
	if err != nil {
		return Summary{}, err
	}
	var files map[string]string
	if record.Programs, files, err = c.describePrograms(); err != nil {
		return Summary{}, err
	}
	w := newWriter(out)
	text, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return Summary{}, err
	}
	for _, small := range []struct {
		name    string
		content []byte
	}{{recordName, append(text, '\n')}, {layoutName, []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {indexName, index}} {
		if err := w.bytes(small.name, small.content); err != nil {
			return Summary{}, err
		}
	}
	for _, row := range table.WithChart() {
		if err := w.folder(row.ChartName()+"/", c.Charts[row.Name]); err != nil {
			return Summary{}, fmt.Errorf("copying %s's chart: %w", row.Name, err)
		}
	}
	if err := w.programs(ctx, files); err != nil {
		return Summary{}, err
	}
	if err := w.blobs(ctx, blobs, report); err != nil {
		return Summary{}, err
	}
	sum, err := w.end()
	return Summary{Size: w.size, SHA256: fmt.Sprintf("%x", sum), Record: record}, err
}

// blob is a blob of the layout: a layer, or a small blob in memory.
type blob struct {
	size int64
	open func() (io.ReadCloser, error)
}

func small(content []byte) blob {
	return blob{int64(len(content)), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
}

// describe returns the record, the index of the layout, and its blobs.
func (c Contents) describe() (record Record, index []byte, blobs map[v1.Hash]blob, err error) {
	var versions artifact.NodeVersions
	if len(c.Images[table.ControlPlane]) > 0 {
		if versions, _, err = c.Images[table.ControlPlane][0].NodeVersions(); err != nil {
			return record, nil, nil, err
		}
	}
	record = newRecord()
	record.Platform, record.Sandbox, record.Source = c.Platform, c.Sandbox, c.Source
	record.Kubernetes, record.Manifests = versions.Kubernetes, c.Manifests
	blobs = map[v1.Hash]blob{}
	var all v1.ImageIndex = empty.Index
	for _, p := range c.parts() {
		content := p.image.Content()
		descriptor, err := partial.Descriptor(content)
		if err != nil {
			return record, nil, nil, fmt.Errorf("describing image %s: %w", p.image.Name(), err)
		}
		if err := collect(content, blobs); err != nil {
			return record, nil, nil, fmt.Errorf("describing image %s: %w", p.image.Name(), err)
		}
		record.Images = append(record.Images, Entry{Role: p.role, Names: p.image.Names, Digest: descriptor.Digest})
		for _, name := range p.image.Names { // `podman load` and other programs read these annotations.
			named := *descriptor
			named.Annotations = map[string]string{"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
			all = mutate.AppendManifests(all, mutate.IndexAddendum{Add: content, Descriptor: named})
		}
	}
	index, err = all.RawManifest()
	return record, index, blobs, err
}

// collect adds the blobs of an image to blobs.
func collect(content v1.Image, blobs map[v1.Hash]blob) error {
	digest, err := content.Digest()
	if err != nil {
		return err
	}
	manifest, err := content.RawManifest()
	if err != nil {
		return err
	}
	configName, err := content.ConfigName()
	if err != nil {
		return err
	}
	config, err := content.RawConfigFile()
	if err != nil {
		return err
	}
	blobs[digest], blobs[configName] = small(manifest), small(config)
	layers, err := content.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		size, err := layer.Size()
		if err != nil {
			return err
		}
		blobs[digest] = blob{size, layer.Compressed}
	}
	return nil
}

// blobs writes the blobs in the order of their digests, and verifies the digests.
func (w *writer) blobs(ctx context.Context, blobs map[v1.Hash]blob, report artifact.Report) error {
	var total, done int64
	for _, b := range blobs {
		total += b.size
	}
	byDigest := func(a, b v1.Hash) int { return bytes.Compare([]byte(a.Hex), []byte(b.Hex)) }
	for _, digest := range slices.SortedFunc(maps.Keys(blobs), byDigest) {
		if report != nil {
			report("%d of %d MB", done>>20, total>>20)
		}
		b := blobs[digest]
		if err := w.blob(ctx, digest, b); err != nil {
			return fmt.Errorf("writing blob %s: %w", digest, err)
		}
		done += b.size
	}
	return nil
}

func (w *writer) blob(ctx context.Context, digest v1.Hash, b blob) error {
	content, err := b.open()
	if err != nil {
		return err
	}
	defer content.Close()
	hasher, err := v1.Hasher(digest.Algorithm)
	if err != nil {
		return err
	}
	if err := w.file(blobFolder+digest.Hex, b.size, io.TeeReader(ending{ctx, content}, hasher)); err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", hasher.Sum(nil)); got != digest.Hex {
		return fmt.Errorf("got digest %s: the cache is damaged; delete it with `sandbox down --purge`", got)
	}
	return nil
}

// ending is a reader that returns an error when its context ends.
type ending struct {
	ctx  context.Context //nolint:containedctx // The reader lives for one call.
	from io.Reader
}

// Read implements io.Reader.
func (e ending) Read(into []byte) (int, error) {
	if e.ctx.Err() != nil {
		return 0, e.ctx.Err()
	}
	return e.from.Read(into)
}

// folder writes the files of a folder.
func (w *writer) folder(name, path string) error {
	files := os.DirFS(path)
	return fs.WalkDir(files, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, file)
		if err != nil {
			return err
		}
		return w.bytes(name+file, content)
	})
}
