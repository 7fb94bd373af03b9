package modgraph

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `example.com/main go@1.26.0
example.com/main example.com/root@v1.0.0
example.com/main example.com/indirect@v1.2.0
example.com/root@v1.0.0 example.com/indirect@v1.1.0
example.com/cycle@v1.0.0 example.com/root@v0.9.0
example.com/indirect@v1.1.0 example.com/deep@v1.0.0
example.com/root@v1.0.0 example.com/cycle@v1.0.0
example.com/main toolchain@go1.26.0
`

func TestBeyond(t *testing.T) {
	for name, tc := range map[string]struct {
		added string
		want  []string
	}{
		"nothing, whatever the versions":   {"", nil},
		"a module":                         {"example.com/main example.com/new@v1.0.0\n", []string{"example.com/new"}},
		"a module with others behind it":   {"example.com/b@v1.0.0 example.com/a@v1.0.0\nexample.com/new@v1.0.0 example.com/b@v1.0.0\nexample.com/main example.com/new@v1.0.0\n", []string{"example.com/a", "example.com/b", "example.com/new"}},
		"behind a newer version of one":    {"example.com/indirect@v1.2.0 example.com/later@v1.0.0\n", nil},
		"one that a root brings, directly": {"example.com/main example.com/deep@v1.0.0\n", nil},
	} {
		g, err := parse(sample + tc.added)
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.Beyond("example.com/root")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, out := range []string{"", "one\n", "a@v1 b@v1\n"} {
		if _, err := parse(out); err == nil {
			t.Errorf("parse(%q) = nil, want an error", out)
		}
	}
	g, err := parse(sample)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Beyond("example.com/deep"); err == nil {
		t.Error("Beyond() = nil for a root that is not required, want an error")
	}
	if _, err := Read(t.Context(), t.TempDir()); err == nil {
		t.Error("Read() = nil for a folder without a module, want an error")
	}
	if _, err := Direct(t.Context(), t.TempDir()); err == nil {
		t.Error("Direct() = nil for a folder without a module, want an error")
	}
}

func TestDirect(t *testing.T) {
	folder := t.TempDir()
	const file = "module example.com/main\n\nrequire (\n\texample.com/a v1.0.0\n\texample.com/b v1.0.0 // indirect\n)\n"
	if err := os.WriteFile(filepath.Join(folder, "go.mod"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Direct(t.Context(), folder)
	if err != nil || len(got) != 1 || got[0] != "example.com/a" {
		t.Errorf("direct requirements %v, error %v, want example.com/a", got, err)
	}
}
