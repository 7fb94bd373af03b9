package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
)

// Whatever is cut off or altered, wherever, the bundle is refused in one line.
func TestDamagedBundleIsRefused(t *testing.T) {
	data, err := os.ReadFile(written(t, some(t)))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "damaged.tar")
	refused := func(what string, at int, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		b, err := Open(t.Context(), path, t.TempDir(), Record.Readable)
		if err == nil {
			_ = b.Close()
			t.Fatalf("%s at byte %d: it was opened", what, at)
		}
		if !strings.HasPrefix(err.Error(), "reading bundle "+path+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s at byte %d: error %q", what, at, err)
		}
	}
	for at := 0; at < len(data); at += 101 {
		altered := bytes.Clone(data)
		altered[at] ^= 0x20
		refused("altered", at, altered)
		refused("cut off", at, data[:at])
	}
	last := len(data) - 1
	altered := bytes.Clone(data)
	altered[last] ^= 1
	refused("altered", last, altered)
	refused("cut off", last, data[:last])
	refused("longer", len(data), append(bytes.Clone(data), 0))
	middle := len(data) / 2
	refused("a block left out", middle, append(bytes.Clone(data[:middle]), data[middle+512:]...))
}

func TestOpenWhatIsNoBundle(t *testing.T) {
	folder := t.TempDir()
	for _, test := range []struct{ name, content, want string }{
		{"empty", "", "no bundle of the sandbox"},
		{"text", strings.Repeat("text\n", 1000), "no bundle of the sandbox"},
		{"page", "<html>Sign in</html>", "no bundle of the sandbox"},
	} {
		path := filepath.Join(folder, test.name)
		if err := os.WriteFile(path, []byte(test.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), path, folder, anything); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
	if _, err := Open(t.Context(), folder, folder, anything); err == nil || !strings.Contains(err.Error(), "it is no file") {
		t.Errorf("a folder: error %v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(folder, "none"), folder, anything); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing: error %v", err)
	}
}

// A bundle for something else is refused by its record, before the rest is read: here there is no rest.
func TestBundleForSomethingElse(t *testing.T) {
	good := Record{
		Format: Format, Platform: "linux/amd64", CertManager: artifact.CertManagerVersion, Jaeger: artifact.JaegerVersion, Manifests: "sha256:1",
	}
	if err := good.Check("linux/amd64", "sha256:1"); err != nil {
		t.Errorf("a good one: %v", err)
	}
	if err := good.Check("linux/amd64", ""); err != nil {
		t.Errorf("a good one for any operator: %v", err)
	}
	for _, test := range []struct {
		change func(*Record)
		want   string
	}{
		{func(r *Record) { r.Format = 2 }, "it has format 2, and this program reads format 1"},
		{func(r *Record) { r.Format = 0 }, "it has format 0"},
		{func(r *Record) { r.Platform = "linux/s390x" }, "it is for linux/s390x, and this is linux/amd64"},
		{func(r *Record) { r.CertManager = "v9.9.9" }, "it has cert-manager v9.9.9"},
		{func(r *Record) { r.Jaeger = "9.9.9" }, "Jaeger 9.9.9"},
		{func(r *Record) { r.Manifests = "sha256:2" }, "its operator belongs to other manifests"},
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
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}

// Checksums make no bundle one to trust: a chart must not lead out of its folder.
func TestChartStaysInItsFolder(t *testing.T) {
	var data bytes.Buffer
	w := newWriter(&data)
	text, err := json.Marshal(Record{Format: Format})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.bytes(recordName, text), w.bytes(chartFolder+"../../x", []byte("x"))); err != nil {
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
	if _, err := b.Chart(); err == nil || !strings.Contains(err.Error(), "leads out") {
		t.Errorf("error %v", err)
	}
	if _, err := b.Operator(); err == nil || !strings.Contains(err.Error(), "0 images of the operator") {
		t.Errorf("no operator: error %v", err)
	}
}

// A record is small: what is not is read by nobody.
func TestLargeRecordIsRefused(t *testing.T) {
	var data bytes.Buffer
	text, err := json.Marshal(Record{Format: Format, Sandbox: strings.Repeat("x", maxRecord)})
	if err == nil {
		err = newWriter(&data).bytes(recordName, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readRecord(&data); err == nil || !strings.Contains(err.Error(), "no bundle of the sandbox") {
		t.Errorf("error %v", err)
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	path := written(t, some(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, path, t.TempDir(), anything); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestImagesThatCantBe(t *testing.T) {
	b := opened(t, written(t, some(t)))
	digest := b.Record.Images[0].Digest
	if _, err := b.blob(digest); err != nil {
		t.Fatal(err)
	}
	if _, err := b.blob(v1.Hash{Algorithm: "sha512", Hex: digest.Hex}); err == nil {
		t.Error("a digest of another algorithm has a blob")
	}
	b.Record.Images[0].Names = nil
	if _, err := b.Probe(); err == nil || !strings.HasSuffix(err.Error(), "in the bundle: it has no name") {
		t.Errorf("an image without a name: error %v", err)
	}
}

// Who waits sees how far it is.
func TestBlobsReportHowFarTheyAre(t *testing.T) {
	blobs := map[v1.Hash]blob{}
	for _, letter := range []string{"a", "b", "c"} {
		content := bytes.Repeat([]byte(letter), 1<<20)
		digest, _, err := v1.SHA256(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		blobs[digest] = small(content)
	}
	var said []string
	report := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	if err := newWriter(io.Discard).blobs(t.Context(), blobs, report); err != nil {
		t.Fatal(err)
	}
	if want := "0 of 3 MB, 1 of 3 MB, 2 of 3 MB"; strings.Join(said, ", ") != want {
		t.Errorf("it said %q, want %s", said, want)
	}
}

// lying is a layer that is not what its digest says.
type lying struct{ v1.Layer }

func (l lying) Compressed() (io.ReadCloser, error) {
	size, err := l.Size()
	return io.NopCloser(strings.NewReader(strings.Repeat("x", int(size)))), err
}

// A bundle that can't be written leaves what was there, and nothing else.
func TestCreateLeavesNothingHalf(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	damaged := some(t)
	damaged.Operator = artifact.New(replaced{damaged.Operator.Content()}, damaged.Operator.Names...)
	noChart := some(t)
	noChart.ChartDir = filepath.Join(noChart.ChartDir, "none")
	for _, test := range []struct {
		name     string
		ctx      context.Context //nolint:containedctx // It is the test's case.
		contents Contents
		want     string
	}{
		{"canceled", canceled, some(t), context.Canceled.Error()},
		{"damaged", t.Context(), damaged, "the cache is damaged"},
		{"no chart", t.Context(), noChart, "copying cert-manager's chart"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "sandbox.tar")
			if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Create(test.ctx, path, test.contents, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "writing bundle "+path+": ") {
				t.Errorf("error %v, want %q", err, test.want)
			}
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			if data, _ := os.ReadFile(path); len(entries) != 1 || string(data) != "before" {
				t.Errorf("the folder has %v, and the file %q", entries, data)
			}
		})
	}
	if _, err := Create(t.Context(), t.TempDir(), some(t), nil); err == nil || !strings.Contains(err.Error(), "no file") {
		t.Errorf("a folder: error %v", err)
	}
}

// replaced is an image whose layers lie.
type replaced struct{ v1.Image }

func (r replaced) Layers() ([]v1.Layer, error) {
	layers, err := r.Image.Layers()
	for i := range layers {
		layers[i] = lying{layers[i]}
	}
	return layers, err
}
