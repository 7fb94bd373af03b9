package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// withPrograms returns contents with programs: one file that is all programs of the control plane,
// Jaeger from a published image, and an operator.
func withPrograms(t *testing.T, images bool) Contents {
	t.Helper()
	c := some(t)
	if !images {
		c.Images = nil
	}
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	kubernetes := write("kubernetes", "all in one")
	c.Programs = map[string]map[string]string{component.ControlPlane: {}}
	for _, program := range component.Named(component.ControlPlane).Main() {
		link := filepath.Join(folder, program.Name)
		if err := os.Symlink(kubernetes, link); err != nil {
			t.Fatal(err)
		}
		c.Programs[component.ControlPlane][program.Name] = link
	}
	c.Programs[component.Jaeger] = map[string]string{component.Jaeger: write("jaeger-published-0123/jaeger", "jaeger")}
	c.Programs[component.Operator] = map[string]string{component.Operator: write("manager", "operator")}
	return c
}

func openedPrograms(t *testing.T, c Contents) (b *Bundle, cache string) {
	t.Helper()
	cache = t.TempDir()
	b, err := Open(t.Context(), written(t, c), cache, Record.Readable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b, cache
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	for _, images := range []bool{true, false} {
		b, cache := openedPrograms(t, withPrograms(t, images))
		if !b.Record.Supports(component.Embedded) || b.Record.Supports(component.Kind) != images {
			t.Errorf("Supports: embedded %t, kind %t", b.Record.Supports(component.Embedded), b.Record.Supports(component.Kind))
		}
		for range 2 { // From the bundle, and then from the cache.
			paths, err := b.Paths(t.Context(), component.Named(component.ControlPlane), nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, path := range paths {
				info, err := os.Stat(path)
				content, readErr := os.ReadFile(path)
				if err != nil || readErr != nil || string(content) != "all in one" || filepath.Base(path) != name || info.Mode().Perm()&0o111 == 0 || !strings.HasPrefix(path, cache) {
					t.Errorf("program %s at %s: %q, %v, %v", name, path, content, err, readErr)
				}
			}
			if len(paths) != len(component.Named(component.ControlPlane).Main()) {
				t.Errorf("Paths(control plane) = %v", paths)
			}
		}
		jaeger, err := b.Paths(t.Context(), component.Named(component.Jaeger), nil)
		if err != nil || !artifact.IsPublished(jaeger[component.Jaeger]) {
			t.Errorf("Paths(jaeger) = %v, %v; want a published program", jaeger, err)
		}
		path, version, err := b.Operator(t.Context(), build.Program{}, nil)
		if err != nil || filepath.Base(path) != "manager" || artifact.IsPublished(path) || len(version) != 16 {
			t.Errorf("Operator() = %s, %q, %v", path, version, err)
		}
		if _, err := b.Paths(t.Context(), component.Named(component.Node), nil); err == nil || !strings.Contains(err.Error(), "no programs of the node; create the bundle with") {
			t.Errorf("Paths(node) = %v", err)
		}
	}
}

// Several programs that are one file are in the bundle once, and equal programs make equal bundles.
func TestProgramsAreWrittenOnce(t *testing.T) {
	t.Parallel()
	c := withPrograms(t, false)
	first, second := written(t, c), written(t, c)
	a, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error("two bundles of the same contents differ")
	}
	if n := strings.Count(string(a), "all in one"); n != 1 {
		t.Errorf("the bundle has the control plane %d times, want once", n)
	}
	record, err := ReadRecord(first)
	if err != nil || len(record.Programs) != 6 {
		t.Errorf("ReadRecord() has %d programs, %v; want 6", len(record.Programs), err)
	}
}

// The names in a record are untrusted.
func TestProgramNamesStayInTheCache(t *testing.T) {
	t.Parallel()
	b, _ := openedPrograms(t, withPrograms(t, false))
	for _, name := range []string{"../etcd", "a/b", "..", ".", ""} {
		b.Record.Programs = []Program{{Component: component.Operator, Name: component.Operator, Binary: name, SHA256: b.Record.Programs[0].SHA256}}
		if _, _, err := b.Operator(t.Context(), build.Program{}, nil); err == nil || !strings.Contains(err.Error(), "is not the name of a program") {
			t.Errorf("a program called %q: %v", name, err)
		}
	}
	b.Record.Programs = []Program{{Component: component.Operator, Name: component.Operator, Binary: "x", SHA256: "none"}}
	if _, _, err := b.Operator(t.Context(), build.Program{}, nil); err == nil || !strings.Contains(err.Error(), "no program none") {
		t.Errorf("a program without a file: %v", err)
	}
}

func TestCreateWithAMissingProgram(t *testing.T) {
	t.Parallel()
	c := withPrograms(t, false)
	c.Programs[component.Jaeger][component.Jaeger] = filepath.Join(t.TempDir(), "none")
	path := filepath.Join(t.TempDir(), "sandbox.tar")
	if _, err := Create(t.Context(), path, c, nil); err == nil || !strings.Contains(err.Error(), "reading the program jaeger") {
		t.Errorf("Create() = %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a partial bundle was left: %v", err)
	}
}
