package build

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

// module writes a module of one program with an embedded file.
func module(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":          "module example.com/op\n\ngo 1.25\n",
		"cmd/main.go":     "package main\n\nimport _ \"embed\"\n\n//go:embed said.txt\nvar said string\n\nfunc main() { print(said) }\n",
		"cmd/said.txt":    "first",
		"broken/main.go":  "package main\n\nfunc main() { missing() }\n",
		"cmd/tagged.go":   "//go:build more\n\npackage main\n\nfunc init() { print(\"more \") }\n",
		"cmd/op_test.go":  "package main\n",
		"unused/other.go": "package unused\n",
	} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// Without Sources, Go detects changes, also of embedded files.
func TestProgramWithoutSources(t *testing.T) {
	t.Setenv("GOFLAGS", "-trimpath")
	folder := module(t)
	programs := NewPrograms(&Builder{Cache: t.TempDir()})
	built := 0
	programs.source.Built = func(string, time.Duration) { built++ }
	program := Program{Module: folder, Main: "./cmd"}
	var last string
	note := func(format string, args ...any) { last = fmt.Sprintf(format, args...) }
	run := func(p Program) (said, key string) {
		t.Helper()
		path, key, err := programs.Operator(t.Context(), p, note)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(path) != OperatorProgram || filepath.Base(filepath.Dir(path)) != "operator-"+key || len(key) != 16 {
			t.Errorf("Operator() = %s, %s", path, key)
		}
		out, err := exec.CommandContext(t.Context(), path).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		return string(out), key
	}
	said, first := run(program)
	if last != "built" { // It stays beside the step.
		t.Errorf("last progress message = %q, want built", last)
	}
	if _, again := run(program); said != "first" || again != first || built != 1 {
		t.Errorf("output %q after %d builds with keys %s and %s; want one build", said, built, first, again)
	}
	if err := os.WriteFile(filepath.Join(folder, "cmd", "said.txt"), []byte("second"), 0o644); err != nil {
		t.Fatal(err)
	}
	said, second := run(program)
	if said != "second" || second == first || built != 2 {
		t.Errorf("output after a change %q after %d builds with keys %s and %s; want a second build", said, built, first, second)
	}
	program.Flags = []string{"-tags=more"}
	if said, third := run(program); said != "more second" || third == second {
		t.Errorf("output with a tag = %q with key %s", said, third)
	}
	_, _, err := programs.Operator(t.Context(), Program{Module: folder, Main: "./broken"}, nil)
	if err == nil || !strings.Contains(err.Error(), "undefined: missing") || !strings.Contains(err.Error(), folder) {
		t.Errorf("Operator() of a broken program = %v", err)
	}
}

func TestOperatorImage(t *testing.T) {
	t.Setenv("GOFLAGS", "-trimpath")
	b := &Builder{Cache: t.TempDir()}
	built, err := b.Operator(t.Context(), Program{Module: module(t), Main: "./cmd"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := built.Content().ConfigFile()
	if err != nil || config.Config.Entrypoint[0] != "/operator" || config.Config.User != "65532:65532" || config.OS != "linux" {
		t.Errorf("ConfigFile() = %+v, %v", config, err)
	}
	bottom, err := built.Content().Layers()
	if err != nil {
		t.Fatal(err)
	}
	content, err := bottom[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if got := filetest.Entries(t, content); len(got) != 1 || got[0].Name != "tmp/" || got[0].Mode != 0o1777 || config.Config.Env[0] != "HOME=/tmp" {
		t.Errorf("entries of the first layer = %+v, want a writable /tmp", got)
	}
	if !strings.HasPrefix(built.Name(), artifact.LocalRepository+"operator:") {
		t.Errorf("Name() = %s", built.Name())
	}
}

// An engine's image is saved once for each identifier.
func TestGiven(t *testing.T) {
	t.Setenv("GOFLAGS", "-trimpath")
	b := &Builder{Cache: t.TempDir()}
	built, err := b.Operator(t.Context(), Program{Module: module(t), Main: "./cmd"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	saved := 0
	save := func(path string) error {
		saved++
		file, err := os.Create(path)
		if err != nil {
			return err
		}
		return errors.Join(artifact.Archive(file, built), file.Close())
	}
	for name, want := range map[string]string{
		"op:dev": "docker.io/library/op:dev", "team/op": "docker.io/team/op:latest", "example.com:5000/op:1": "example.com:5000/op:1",
	} {
		given, err := b.Given(name, "sha256:1", save)
		if err != nil {
			t.Fatal(err)
		}
		if given.Name() != want {
			t.Errorf("Given(%s).Name() = %s, want %s", name, given.Name(), want)
		}
	}
	if saved != 1 {
		t.Errorf("the image was saved %d times, want once", saved)
	}
	if _, err := b.Given("op:dev", "sha256:2", save); err != nil || saved != 2 {
		t.Errorf("Given() of another image = %v after %d saves; want 2", err, saved)
	}
	if _, err := b.Given("op:dev", "sha256:3", func(string) error { return errors.New("no room") }); err == nil || !strings.Contains(err.Error(), "reading image op:dev: no room") {
		t.Errorf("Given() with a failing save = %v", err)
	}
}
