package build

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

func TestBuildIsCached(t *testing.T) {
	t.Parallel()
	b, c := program(t)
	b.OS, b.Arch = "", ""
	c.stamp = []string{"main.version=v7"}
	filetest.Put(t, b.Root, "src/go.mod", "module example.test/program\n\ngo 1.26\n")
	filetest.Put(t, b.Root, "src/main.go", "package main\n\nvar version string\n\nfunc main() { println(version) }\n")
	if b.cached(c) {
		t.Error("cached() = true before the build")
	}
	dir, err := b.build(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "program")).CombinedOutput()
	if err != nil || string(out) != "v7\n" {
		t.Errorf("output of the program = %q, %v; want its stamp", out, err)
	}
	if !b.cached(c) {
		t.Error("cached() = false after the build")
	}
	var said []string
	again, err := b.build(t.Context(), c, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	if err != nil || again != dir || strings.Join(said, ";") != "cached" {
		t.Errorf("second build() = %s, %v with progress %q; want %s and cached", again, err, said, dir)
	}
}

// The operator's module can require unpublished versions of the library, which its workspace has.
func TestBuildUsesTheWorkspaceOfItsModuleAlone(t *testing.T) {
	t.Parallel()
	b, c := program(t)
	b.OS, b.Arch = "", ""
	filetest.Put(t, b.Root, "src/go.mod", "module example.test/program\n\ngo 1.26\n\nrequire example.test/library v0.0.0\n")
	filetest.Put(t, b.Root, "src/main.go", "package main\n\nimport _ \"example.test/library\"\n\nfunc main() {}\n")
	filetest.Put(t, b.Root, "src/library/go.mod", "module example.test/library\n\ngo 1.26\n")
	filetest.Put(t, b.Root, "src/library/library.go", "package library\n")
	const workspace = "go 1.26\n\nuse (\n\t%s\n\t%s\n)\n\nreplace example.test/library v0.0.0 => %s\n"
	filetest.Put(t, b.Root, "go.work", fmt.Sprintf(workspace, "./src", "./src/library", "./src/library"))
	if _, err := b.build(t.Context(), c, nil); err == nil {
		t.Error("build() used the workspace of the folder above")
	}
	filetest.Put(t, b.Root, "src/go.work", fmt.Sprintf(workspace, ".", "./library", "./library"))
	if _, err := b.build(t.Context(), c, nil); err != nil {
		t.Errorf("build() in the module's own workspace = %v", err)
	}
}

func TestBuildLinksOneProgramUnderSeveralNames(t *testing.T) {
	t.Parallel()
	b, c := program(t)
	b.OS, b.Arch = "", ""
	c.links = []string{"assets/one", "two"}
	filetest.Put(t, b.Root, "src/go.mod", "module example.test/program\n\ngo 1.26\n")
	filetest.Put(t, b.Root, "src/main.go", "package main\n\nimport \"os\"\n\nfunc main() { print(os.Args[0]) }\n")
	dir, err := b.build(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range c.links {
		path := filepath.Join(dir, name)
		if out, err := exec.CommandContext(t.Context(), path).CombinedOutput(); err != nil || string(out) != path {
			t.Errorf("output of %s = %q, %v; want its own path", name, out, err)
		}
	}
}

func TestBuildPrunesOldBuilds(t *testing.T) {
	t.Parallel()
	b, c := program(t)
	c.keep = 2
	filetest.Put(t, b.Root, "src/go.mod", "module example.test/program\n\ngo 1.26\n")
	for _, folder := range []string{"bin", "layers"} {
		for i := range 3 {
			old := fmt.Sprintf("%s/program-%016x", folder, i)
			filetest.Put(t, b.Cache, old+"/file", "")
			filetest.UsedAgo(t, filepath.Join(b.Cache, old), time.Duration(i+2)*time.Hour)
		}
	}
	dir, err := b.build(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"program-0000000000000000", filepath.Base(dir)}, filetest.Names(t, filepath.Join(b.Cache, "bin"))); diff != "" {
		t.Errorf("builds (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"program-0000000000000000", "program-0000000000000001"}, filetest.Names(t, filepath.Join(b.Cache, "layers"))); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

func TestBuildErrorHasTheCompilersMessage(t *testing.T) {
	t.Parallel()
	b, c := program(t)
	filetest.Put(t, b.Root, "src/go.mod", "module example.test/program\n\ngo 1.26\n")
	filetest.Put(t, b.Root, "src/main.go", "package main\n\nfunc main() { undefinedName() }\n")
	_, err := b.build(t.Context(), c, nil)
	if err == nil || !strings.Contains(err.Error(), "building program: ") || !strings.Contains(err.Error(), "undefined: undefinedName") {
		t.Errorf("build() = %v", err)
	}
	if b.cached(c) {
		t.Error("cached() = true after a failed build")
	}
}

func TestBuildWithoutItsOutput(t *testing.T) {
	t.Parallel()
	b, c := program(t)
	filetest.Put(t, b.Root, "src/go.mod", "module example.test/program\n\ngo 1.26\n")
	c.outputs = []string{"other"}
	_, err := b.build(t.Context(), c, nil)
	if err == nil || err.Error() != "building program: go build did not create other" {
		t.Errorf("build() = %v", err)
	}
}

func TestInTurnStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	b, c := program(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewSource(b).inTurn(ctx, c, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("inTurn() = %v, want %v", err, context.Canceled)
	}
}

// A cached component must not wait for the build of another one.
func TestInTurnDoesNotWaitIfCached(t *testing.T) {
	t.Parallel()
	b, c := program(t)
	key, _, err := b.key(c)
	if err != nil {
		t.Fatal(err)
	}
	filetest.Put(t, b.Cache, "bin/program-"+key+"/program", "")
	s := NewSource(b)
	s.compiling.Lock() // Another build is running.
	if _, err := s.inTurn(t.Context(), c, nil); err != nil {
		t.Error(err)
	}
}
