package build

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/gocmd"
)

// program writes a repository with a module of one component.
func program(t *testing.T) (*Builder, component) {
	t.Helper()
	root := t.TempDir()
	filetest.Put(t, root, "src/go.mod", "module example.test/program\n\ngo 1.26\n\nrequire k8s.io/kubernetes v1.37.2\n")
	filetest.Put(t, root, "src/go.sum", "")
	filetest.Put(t, root, "src/main.go", "package main\n\nfunc main() {}\n")
	filetest.Put(t, root, "src/sub/sub.go", "package sub\n")
	c := component{name: "program", module: "src", packages: []string{"."}, outputs: []string{"program"}}
	return &Builder{Root: root, Cache: t.TempDir(), Arch: "amd64"}, c
}

func TestKeyChangesWithWhatIsBuilt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(t *testing.T, b *Builder, c *component)
		same   bool
	}{
		{name: "nothing", change: func(*testing.T, *Builder, *component) {}, same: true},
		{name: "a Go file", change: func(t *testing.T, b *Builder, _ *component) {
			filetest.Put(t, b.Root, "src/main.go", "package main\n\nfunc main() { println() }\n")
		}},
		{name: "a new Go file", change: func(t *testing.T, b *Builder, _ *component) {
			filetest.Put(t, b.Root, "src/sub/new.go", "package sub\n")
		}},
		{name: "a file moved", change: func(t *testing.T, b *Builder, _ *component) {
			if err := os.Rename(filepath.Join(b.Root, "src/sub/sub.go"), filepath.Join(b.Root, "src/sub/moved.go")); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a requirement", change: func(t *testing.T, b *Builder, _ *component) {
			filetest.Put(t, b.Root, "src/go.mod", filetest.Read(t, filepath.Join(b.Root, "src/go.mod"))+"\nrequire example.test/other v1.0.0\n")
		}},
		{name: "go.sum", change: func(t *testing.T, b *Builder, _ *component) {
			filetest.Put(t, b.Root, "src/go.sum", "example.test/other v1.0.0 h1:x\n")
		}},
		{name: "its workspace", change: func(t *testing.T, b *Builder, _ *component) {
			filetest.Put(t, b.Root, "src/go.work", "go 1.26\n\nuse .\n")
		}},
		{name: "a test", change: func(t *testing.T, b *Builder, _ *component) {
			filetest.Put(t, b.Root, "src/main_test.go", "package main\n")
		}, same: true},
		{name: "an editor's lock, a dangling link", change: func(t *testing.T, b *Builder, _ *component) {
			if err := os.Symlink("user@host.1", filepath.Join(b.Root, "src/.#main.go")); err != nil {
				t.Fatal(err)
			}
		}, same: true},
		{name: "a text", change: func(t *testing.T, b *Builder, _ *component) { filetest.Put(t, b.Root, "src/README.md", "words") }, same: true},
		{name: "a nested module", change: func(t *testing.T, b *Builder, _ *component) {
			filetest.Put(t, b.Root, "src/nested/go.mod", "module example.test/nested\n")
			filetest.Put(t, b.Root, "src/nested/nested.go", "package nested\n")
		}, same: true},
		{name: "a module beside it", change: func(t *testing.T, b *Builder, _ *component) {
			filetest.Put(t, b.Root, "beside/beside.go", "package beside\n")
		}, same: true},
		{name: "tags", change: func(_ *testing.T, _ *Builder, c *component) { c.tags = "no_zfs" }},
		{name: "packages", change: func(_ *testing.T, _ *Builder, c *component) { c.packages = []string{".", "./sub"} }},
		{name: "a stamp", change: func(_ *testing.T, _ *Builder, c *component) { c.stamp = []string{"main.version=v2"} }},
		{name: "the processor", change: func(_ *testing.T, b *Builder, _ *component) { b.Arch = "arm64" }},
		{name: "the system", change: func(_ *testing.T, b *Builder, _ *component) { b.OS = "darwin" }},
		{name: "another cache", change: func(t *testing.T, b *Builder, _ *component) { b.Cache = t.TempDir() }, same: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, c := program(t)
			before, _, err := b.key(c)
			if err != nil {
				t.Fatal(err)
			}
			test.change(t, b, &c)
			after, _, err := b.key(c)
			if err != nil {
				t.Fatal(err)
			}
			if (before == after) != test.same {
				t.Errorf("key before %s, after %s; want the same: %t", before, after, test.same)
			}
		})
	}
}

func TestKeyOfAComponentWithSources(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, content string
		same                bool
	}{
		{name: "its file", file: "src/sub/sub.go", content: "package sub // changed\n"},
		{name: "a module nested in its folder", file: "src/sub/nested/nested.go", content: "package nested // changed\n"},
		{name: "that module's requirements", file: "src/sub/nested/go.mod", content: "module example.test/nested\n\ngo 1.26\n"},
		{name: "the module's requirements", file: "src/go.mod", content: "module example.test/program\n"},
		{name: "the module's workspace", file: "src/go.work", content: "go 1.26\n\nuse .\n"},
		{name: "a workspace of another folder", file: "go.work", content: "go 1.26\n\nuse ./src\n", same: true},
		{name: "the module's go.sum", file: "src/go.sum", content: "example.test/other v1.0.0 h1:x\n"},
		{name: "a test of its", file: "src/sub/nested/nested_test.go", content: "package nested\n", same: true},
		{name: "another folder of the module", file: "src/main.go", content: "package main // changed\n", same: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, c := program(t)
			c.sources = []string{"sub"}
			filetest.Put(t, b.Root, "src/sub/nested/go.mod", "module example.test/nested\n")
			filetest.Put(t, b.Root, "src/sub/nested/nested.go", "package nested\n")
			before, _, err := b.key(c)
			if err != nil {
				t.Fatal(err)
			}
			filetest.Put(t, b.Root, test.file, test.content)
			after, _, err := b.key(c)
			if err != nil {
				t.Fatal(err)
			}
			if (before == after) != test.same {
				t.Errorf("key before %s, after %s; want the same: %t", before, after, test.same)
			}
		})
	}
}

// A build's key must cover all files of this repository that the build reads; otherwise an old
// program would run for new sources. The operator's key covers only part of its module; other keys
// could miss files that are not Go, for example embedded ones.
func TestKeysCoverTheBuilds(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	b := &Builder{Root: root}
	for _, c := range []component{nodeInit, kubernetes, certManager, jaeger, kwok, operator} { // one for each module
		args := []string{"list", "-find", "-json", "./..."}
		if len(c.sources) > 0 {
			args = append([]string{"list", "-deps", "-json"}, c.packages...)
		}
		out, err := b.goCommand(t.Context(), c.module, args...).Output()
		if err != nil {
			t.Fatalf("listing the packages of %s: %v, %v", c.name, err, gocmd.ExitText(err))
		}
		folder := filepath.Join(root, c.module)
		hashed, err := c.sourceFiles(folder)
		if err != nil {
			t.Fatal(err)
		}
		read, packages := filesRead(t, out, folder)
		for _, file := range read {
			if !slices.Contains(hashed, file) {
				t.Errorf("%s is part of %s but not of its key: add its folder to the component's sources, or its kind to isSource", file, c.name)
			}
		}
		if c.name == operator.name && packages < 5 {
			t.Errorf("the operator has %d packages of this repository, want at least 5; is the list correct?", packages)
		}
	}
}

// filesRead lists the files in and below folder that a build reads, from the output of `go list
// -json`, and counts the packages.
func filesRead(t *testing.T, list []byte, folder string) (files []string, packages int) {
	t.Helper()
	for decoder := json.NewDecoder(bytes.NewReader(list)); decoder.More(); {
		var p struct {
			Dir                                                                                   string
			GoFiles, CgoFiles, CFiles, CXXFiles, HFiles, SFiles, SwigFiles, SysoFiles, EmbedFiles []string
		}
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		within, err := filepath.Rel(folder, p.Dir)
		if err != nil || !filepath.IsLocal(within) {
			continue // Of another repository, which go.sum pins.
		}
		packages++
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.CFiles, p.CXXFiles, p.HFiles, p.SFiles, p.SwigFiles, p.SysoFiles, p.EmbedFiles) {
			files = append(files, filepath.Join(within, name))
		}
	}
	return files, packages
}

func TestKeyIsIndependentOfThePath(t *testing.T) {
	t.Parallel()
	one, c := program(t)
	other, _ := program(t)
	first, _, err := one.key(c)
	if err != nil {
		t.Fatal(err)
	}
	second, _, err := other.key(c)
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Errorf("equal sources have keys %s and %s", first, second)
	}
}

func TestKeyStampsTheRequiredVersion(t *testing.T) {
	t.Parallel()
	b, c := program(t)
	c.stamp = []string{"example.test/version.git=" + kubernetesVersion, "main.plain=1"}
	before, stamps, err := b.key(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(stamps, " "), "example.test/version.git=v1.37.2 main.plain=1"; got != want {
		t.Errorf("stamps %q, want %q", got, want)
	}

	filetest.Put(t, b.Root, "src/go.mod", "module example.test/program\n")
	_, _, err = b.key(c)
	if err == nil || !strings.Contains(err.Error(), "finding k8s.io/kubernetes in the requirements of") {
		t.Errorf("key() without the requirement = %v", err)
	}

	filetest.Put(t, b.Root, "src/go.mod", "module example.test/program\n\nrequire k8s.io/kubernetes v1.37.3\n")
	after, _, err := b.key(c)
	if err != nil {
		t.Fatal(err)
	}
	if before == after {
		t.Error("the key does not depend on the version")
	}
}

func TestKeyOutsideTheRepository(t *testing.T) {
	t.Parallel()
	b := &Builder{Root: t.TempDir()}
	_, _, err := b.key(nodeInit)
	if err == nil || !strings.Contains(err.Error(), "--source") {
		t.Errorf("key() = %v, want --source as the remedy", err)
	}
}
