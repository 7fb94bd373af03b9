package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	table "github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
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

// Create writes a bundle to path. It replaces an existing file only when the bundle is complete.
// report receives the progress and may be nil. When ctx ends, Create deletes the incomplete file.
func Create(ctx context.Context, path string, c Contents, report artifact.Report) (summary Summary, err error) {
	defer func() {
		if err != nil {
			summary, err = Summary{}, fmt.Errorf("writing bundle %s: %w", path, err)
		}
	}()
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
	if summary.Size, err = out.Seek(0, io.SeekCurrent); err != nil {
		return summary, err
	}
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
	return Summary{SHA256: fmt.Sprintf("%x", sum), Record: record}, err
}

// describe returns the record, the index of the layout, and its blobs.
func (c Contents) describe() (record Record, index []byte, blobs map[v1.Hash]v1.Layer, err error) {
	var versions artifact.NodeVersions
	if len(c.Images[table.ControlPlane]) > 0 {
		if versions, _, err = c.Images[table.ControlPlane][0].NodeVersions(); err != nil {
			return record, nil, nil, err
		}
	}
	record = Record{
		Format: Format, Platform: c.Platform, Sandbox: c.Sandbox, Source: c.Source, Manifests: c.Manifests,
		CertManager: versionOf(table.CertManager), Jaeger: versionOf(table.Jaeger), Kubernetes: versions.Kubernetes,
	}
	blobs = map[v1.Hash]v1.Layer{}
	var all v1.ImageIndex = empty.Index
	components := []string{Probe}
	for _, row := range table.All() {
		components = append(components, row.Name)
	}
	for _, component := range components {
		for _, image := range c.Images[component] {
			content := image.Content()
			descriptor, err := partial.Descriptor(content)
			if err == nil {
				err = collect(content, blobs)
			}
			if err != nil {
				return record, nil, nil, fmt.Errorf("describing image %s: %w", image.Name(), err)
			}
			record.Images = append(record.Images, Entry{Role: roleOf(component), Names: image.Names, Digest: descriptor.Digest})
			for _, name := range image.Names { // `podman load` and other programs read these annotations.
				named := *descriptor
				named.Annotations = map[string]string{"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
				all = mutate.AppendManifests(all, mutate.IndexAddendum{Add: content, Descriptor: named})
			}
		}
	}
	index, err = all.RawManifest()
	return record, index, blobs, err
}

func collect(content v1.Image, blobs map[v1.Hash]v1.Layer) error {
	manifest, err := content.RawManifest()
	if err != nil {
		return err
	}
	config, err := partial.ConfigLayer(content)
	if err != nil {
		return err
	}
	layers, err := content.Layers()
	if err != nil {
		return err
	}
	for _, blob := range append(layers, config, static.NewLayer(manifest, types.OCIManifestSchema1)) {
		digest, err := blob.Digest()
		if err != nil {
			return err
		}
		blobs[digest] = blob
	}
	return nil
}

// blobs writes the blobs in the order of their digests, and verifies the digests.
func (w *writer) blobs(ctx context.Context, blobs map[v1.Hash]v1.Layer, report artifact.Report) error {
	var total, done int64
	sizes := map[v1.Hash]int64{}
	for digest, blob := range blobs {
		size, err := blob.Size()
		if err != nil {
			return fmt.Errorf("writing blob %s: %w", digest, err)
		}
		sizes[digest] = size
		total += size
	}
	byDigest := func(a, b v1.Hash) int { return strings.Compare(a.Hex, b.Hex) }
	for _, digest := range slices.SortedFunc(maps.Keys(blobs), byDigest) {
		report.Say("%d of %d MB", done>>20, total>>20)
		if err := w.blob(ctx, digest, blobs[digest], sizes[digest]); err != nil {
			return fmt.Errorf("writing blob %s: %w", digest, err)
		}
		done += sizes[digest]
	}
	return nil
}

func (w *writer) blob(ctx context.Context, digest v1.Hash, blob v1.Layer, size int64) error {
	content, err := blob.Compressed()
	if err != nil {
		return err
	}
	defer content.Close()
	sum := sha256.New()
	if err := w.file(blobFolder+digest.Hex, size, io.TeeReader(ending{ctx, content}, sum)); err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != digest.Hex {
		return fmt.Errorf("got digest %s: the cache is damaged; delete it with %s", got, hint.Run("down", "--purge"))
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
