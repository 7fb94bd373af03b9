package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	table "github.com/operator-tracing/sandbox/sandbox/component"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

// The rows that the tests of this package build.
var (
	certManager = fromTable(table.Named(table.CertManager))
	jaeger      = fromTable(table.Named(table.Jaeger))
	kwok        = fromTable(table.Named(table.Node))
	chart       = table.Named(table.CertManager)
)

func TestChartIsCached(t *testing.T) {
	b := &Builder{Root: repository, Cache: t.TempDir()}
	var said []string
	note := func(format string, _ ...any) { said = append(said, format) }
	dir, err := b.Chart(t.Context(), table.Named(table.CertManager), note)
	if err != nil {
		t.Fatal(err)
	}
	module, err := b.moduleFolder(t.Context(), chart)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree(t, filepath.Join(module, chart.Chart.Folder)), tree(t, dir)); diff != "" {
		t.Errorf("the chart's files (-module +cache):\n%s", diff)
	}
	if len(said) != 1 {
		t.Errorf("progress = %q, want one line", said)
	}

	t.Setenv("PATH", t.TempDir())
	again, err := b.Chart(t.Context(), table.Named(table.CertManager), note)
	if err != nil || again != dir || len(said) != 1 {
		t.Errorf("second Chart() = %s, %v with progress %q; want %s and no progress", again, err, said, dir)
	}
	// Files in the Go module cache are read-only. Copies must be writable, so that they can be
	// deleted.
	if err := cache.Remove(b.Cache); err != nil || filetest.Exists(dir) {
		t.Errorf("cache.Remove() = %v", err)
	}
	if _, err := b.Chart(t.Context(), table.Named(table.CertManager), nil); err == nil || !strings.Contains(err.Error(), "getting cert-manager-chart: ") || !strings.Contains(err.Error(), "install Go") {
		t.Errorf("Chart() without a cache and Go = %v", err)
	}
}

func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[strings.TrimPrefix(path, folder)] = filetest.Read(t, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestChartErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(b *Builder, c *table.Component)
		want   string
	}{
		{"another version", func(_ *Builder, c *table.Component) { c.Version = "v1.0.0" }, "finding module github.com/cert-manager/cert-manager: go.mod has " + table.Named(table.CertManager).Version + ", want v1.0.0"},
		{"no such module", func(_ *Builder, c *table.Component) { c.Chart.Module = "example.test/none" }, "finding module example.test/none: "},
		{"no such folder", func(_ *Builder, c *table.Component) { c.Chart.Folder = "deploy/none" }, "deploy/none"},
		{"a folder without a chart", func(_ *Builder, c *table.Component) { c.Chart.Folder = "deploy/charts" }, "the module has no deploy/charts/Chart.yaml"},
		{"outside the repository", func(b *Builder, _ *table.Component) { b.Root = filepath.Join(b.Cache, "none") }, "none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, row, own := &Builder{Root: repository, Cache: t.TempDir()}, chart, *chart.Chart
			row.Chart = &own
			test.change(b, &row)
			_, err := b.Chart(t.Context(), row, nil)
			if err == nil || !strings.Contains(err.Error(), "getting cert-manager-chart: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Chart() = %v, want %q", err, test.want)
			}
			if left := filetest.Names(t, filepath.Join(b.Cache, "bin")); len(left) > 0 {
				t.Errorf("the cache has %v, want nothing", left)
			}
		})
	}
}
