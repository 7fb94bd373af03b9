package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Open rejects a truncated or modified bundle with an error of one line.
func TestOpenRejectsADamagedBundle(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(written(t, some(t)))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "damaged.tar")
	reject := func(what string, at int, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		b, err := Open(t.Context(), path, t.TempDir(), Record.Readable)
		if err == nil {
			_ = b.Close()
			t.Fatalf("Open of a bundle %s at byte %d: got no error", what, at)
		}
		if !strings.HasPrefix(err.Error(), "reading bundle "+path+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("Open of a bundle %s at byte %d: got error %q", what, at, err)
		}
	}
	for at := 0; at < len(data); at += 101 {
		modified := bytes.Clone(data)
		modified[at] ^= 0x20
		reject("modified", at, modified)
		reject("truncated", at, data[:at])
	}
	last := len(data) - 1
	modified := bytes.Clone(data)
	modified[last] ^= 1
	reject("modified", last, modified)
	reject("truncated", last, data[:last])
	reject("longer", len(data), append(bytes.Clone(data), 0))
	middle := len(data) / 2
	reject("without a block", middle, append(bytes.Clone(data[:middle]), data[middle+512:]...))
}

func TestOpenRejectsOtherFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, test := range []struct{ name, content, want string }{
		{"empty", "", "not a bundle of the sandbox"},
		{"text", strings.Repeat("text\n", 1000), "not a bundle of the sandbox"},
		{"page", "<html>Sign in</html>", "not a bundle of the sandbox"},
	} {
		path := filepath.Join(folder, test.name)
		if err := os.WriteFile(path, []byte(test.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), path, folder, anything); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Open(%s): got error %v, want %q", test.name, err, test.want)
		}
	}
	if _, err := Open(t.Context(), folder, folder, anything); err == nil || !strings.Contains(err.Error(), "is a folder; pass the path of a file") {
		t.Errorf("a folder: got error %v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(folder, "none"), folder, anything); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of a missing file: got error %v", err)
	}
}

// Open rejects a bundle by its record before it reads the rest. Here there is no rest.
func TestOpenRejectsBundlesOfOthers(t *testing.T) {
	t.Parallel()
	good := Record{
		Format: Format, Platform: "linux/amd64", CertManager: versionOf(component.CertManager), Jaeger: versionOf(component.Jaeger), Manifests: "sha256:1",
	}
	if err := good.Check("linux/amd64", "sha256:1"); err != nil {
		t.Errorf("Check: got error %v", err)
	}
	if err := good.Check("linux/amd64", ""); err != nil {
		t.Errorf("Check for any operator: got error %v", err)
	}
	for _, test := range []struct {
		change func(*Record)
		want   string
	}{
		{func(r *Record) { r.Format = 2 }, "unsupported format 2, want 1"},
		{func(r *Record) { r.Format = 0 }, "unsupported format 0"},
		{func(r *Record) { r.Platform = "linux/s390x" }, "bundle is for linux/s390x, this machine is linux/amd64"},
		{func(r *Record) { r.CertManager = "v9.9.9" }, "bundle has cert-manager v9.9.9"},
		{func(r *Record) { r.Jaeger = "9.9.9" }, "Jaeger 9.9.9"},
		{func(r *Record) { r.Manifests = "sha256:2" }, "operator of the bundle has other manifests"},
	} {
		record := good
		test.change(&record)
		text, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "other.tar")
		var data bytes.Buffer
		w := newWriter(&data)
		if err := w.bytes(recordName, text); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = Open(t.Context(), path, t.TempDir(), func(r Record) error { return r.Check("linux/amd64", "sha256:1") })
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("got error %v, want %q", err, test.want)
		}
	}
}

// A bundle with a correct checksum is still untrusted: its chart must stay in its folder.
func TestChartStaysInItsFolder(t *testing.T) {
	t.Parallel()
	var data bytes.Buffer
	w := newWriter(&data)
	text, err := json.Marshal(Record{Format: Format})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.bytes(recordName, text), w.bytes(component.Named(component.CertManager).ChartName()+"/"+"../../x", []byte("x"))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.end(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "evil.tar")
	if err := os.WriteFile(path, data.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	b := opened(t, path)
	if _, err := b.Chart(component.Named(component.CertManager)); err == nil || !strings.Contains(err.Error(), "outside the chart") {
		t.Errorf("got error %v", err)
	}
	if _, err := b.OperatorImage(); err == nil || !strings.Contains(err.Error(), "0 images of the operator") {
		t.Errorf("Operator: got error %v", err)
	}
}

// A record has a maximum size.
func TestOpenRejectsALargeRecord(t *testing.T) {
	t.Parallel()
	var data bytes.Buffer
	text, err := json.Marshal(Record{Format: Format, Sandbox: strings.Repeat("x", maxRecord)})
	if err == nil {
		err = newWriter(&data).bytes(recordName, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readRecord(&data); err == nil || !strings.Contains(err.Error(), "not a bundle of the sandbox") {
		t.Errorf("got error %v", err)
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	path := written(t, some(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, path, t.TempDir(), anything); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v", err)
	}
}

func TestInvalidImages(t *testing.T) {
	t.Parallel()
	b := opened(t, written(t, some(t)))
	digest := b.Record.Images[0].Digest
	if _, err := b.blob(digest); err != nil {
		t.Fatal(err)
	}
	if _, err := b.blob(v1.Hash{Algorithm: "sha512", Hex: digest.Hex}); err == nil {
		t.Error("blob with a digest of another algorithm: got no error")
	}
	b.Record.Images[0].Names = nil
	if _, err := b.Probe(); err == nil || !strings.HasSuffix(err.Error(), "in the bundle: image has no name") {
		t.Errorf("Probe without a name: got error %v", err)
	}
}

// The progress is reported before each blob.
func TestBlobsReportProgress(t *testing.T) {
	t.Parallel()
	blobs := map[v1.Hash]v1.Layer{}
	for _, letter := range []string{"a", "b", "c"} {
		content := bytes.Repeat([]byte(letter), 1<<20)
		digest, _, err := v1.SHA256(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		blobs[digest] = static.NewLayer(content, types.OCILayer)
	}
	var reported []string
	report := func(format string, args ...any) { reported = append(reported, fmt.Sprintf(format, args...)) }
	if err := newWriter(io.Discard).blobs(t.Context(), blobs, report); err != nil {
		t.Fatal(err)
	}
	if want := "0 of 3 MB, 1 of 3 MB, 2 of 3 MB"; strings.Join(reported, ", ") != want {
		t.Errorf("reported %q, want %s", reported, want)
	}
}

// lying is a layer with a wrong digest.
type lying struct{ v1.Layer }

func (l lying) Compressed() (io.ReadCloser, error) {
	size, err := l.Size()
	return io.NopCloser(strings.NewReader(strings.Repeat("x", int(size)))), err
}

// After an error, Create keeps an existing file and leaves no other files.
func TestCreateIsAtomic(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	damaged := some(t)
	whole := damaged.Images[component.Operator][0]
	damaged.Images[component.Operator] = []artifact.Image{artifact.New(replaced{whole.Content()}, whole.Names...)}
	noChart := some(t)
	noChart.Charts[component.CertManager] += "/none"
	for _, test := range []struct {
		name     string
		ctx      context.Context //nolint:containedctx // A case of the test.
		contents Contents
		want     string
	}{
		{"canceled", canceled, some(t), context.Canceled.Error()},
		{"damaged", t.Context(), damaged, "the cache is damaged"},
		{"no chart", t.Context(), noChart, "copying cert-manager's chart"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path := filepath.Join(folder, "sandbox.tar")
			if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Create(test.ctx, path, test.contents, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "writing bundle "+path+": ") {
				t.Errorf("got error %v, want %q", err, test.want)
			}
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			if data, _ := os.ReadFile(path); len(entries) != 1 || string(data) != "before" {
				t.Errorf("folder = %v with content %q, want only the old file", entries, data)
			}
		})
	}
	if _, err := Create(t.Context(), t.TempDir(), some(t), nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: got error %v", err)
	}
}

// replaced is an image whose layers have wrong digests.
type replaced struct{ v1.Image }

func (r replaced) Layers() ([]v1.Layer, error) {
	layers, err := r.Image.Layers()
	for i := range layers {
		layers[i] = lying{layers[i]}
	}
	return layers, err
}

// A sparse file can claim any size: Open must neither allocate it nor read beyond the bundle.
func TestOpenRejectsSparseAndSpecialFiles(t *testing.T) {
	t.Parallel()
	for name, entry := range map[string][]byte{
		"2^60 bytes": special(t, tar.TypeGNUSparse, 1<<60), "4 GB": special(t, tar.TypeGNUSparse, 4<<30), "64 KB": special(t, tar.TypeGNUSparse, 64<<10),
		"symbolic link": special(t, tar.TypeSymlink, 0), "hard link": special(t, tar.TypeLink, 0), "folder": special(t, tar.TypeDir, 0), "device": special(t, tar.TypeChar, 0), "pipe": special(t, tar.TypeFifo, 0),
	} {
		var data bytes.Buffer
		w := newWriter(&data)
		text, err := json.Marshal(Record{Format: Format})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.bytes(recordName, text); err != nil {
			t.Fatal(err)
		}
		if err := w.archive.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, err := w.out.Write(entry); err != nil {
			t.Fatal(err)
		}
		if _, err := w.end(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "hostile.tar")
		if err := os.WriteFile(path, data.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		b, err := Open(t.Context(), path, t.TempDir(), anything)
		if err == nil {
			_ = b.Close()
		}
		if !errors.Is(err, errDamaged) {
			t.Errorf("Open of a bundle with a %s = %v, want %v", name, err, errDamaged)
		}
	}
}

// special returns the header of an entry in GNU's format, without content. A sparse file claims a
// size.
func special(t *testing.T, kind byte, size uint64) []byte {
	t.Helper()
	block := make([]byte, 512)
	copy(block, "cert-manager-v1/values.yaml")
	copy(block[100:], "0000644\x00")
	copy(block[124:], "00000000000\x00")
	block[156] = kind
	copy(block[257:], "ustar  \x00")
	block[386+0], block[483] = 0x80, 0x80 // Numbers in base 256.
	binary.BigEndian.PutUint64(block[386+4:], size)
	copy(block[386+12:], "00000000000\x00")
	binary.BigEndian.PutUint64(block[483+4:], size)
	copy(block[148:], "        ")
	sum := 0
	for _, b := range block {
		sum += int(b)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	return block
}
