package image

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// module writes a module of one program, which holds a file.
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

// TestProgramWithoutSources: Go decides what changed, an embedded file included, and what did not change is built once.
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
			t.Errorf("the program is %s, its key %s", path, key)
		}
		out, err := exec.CommandContext(t.Context(), path).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		return string(out), key
	}
	said, first := run(program)
	if last != "built" { // It stays on the screen.
		t.Errorf("the last that is reported is %q", last)
	}
	if _, again := run(program); said != "first" || again != first || built != 1 {
		t.Errorf("it says %q; built %d times, under %s and %s", said, built, first, again)
	}
	if err := os.WriteFile(filepath.Join(folder, "cmd", "said.txt"), []byte("second"), 0o644); err != nil {
		t.Fatal(err)
	}
	said, second := run(program)
	if said != "second" || second == first || built != 2 {
		t.Errorf("after a change it says %q; built %d times, under %s and %s", said, built, first, second)
	}
	program.Flags = []string{"-tags=more"}
	if said, third := run(program); said != "more second" || third == second {
		t.Errorf("with a tag it says %q, under %s", said, third)
	}
	_, _, err := programs.Operator(t.Context(), Program{Module: folder, Main: "./broken"}, nil)
	if err == nil || !strings.Contains(err.Error(), "undefined: missing") || !strings.Contains(err.Error(), folder) {
		t.Errorf("a program that can't be built: %v", err)
	}
}

// TestOperatorsImageHasItsProgram: whatever the package is called.
func TestOperatorsImageHasItsProgram(t *testing.T) {
	t.Setenv("GOFLAGS", "-trimpath")
	b := &Builder{Cache: t.TempDir()}
	built, err := b.Operator(t.Context(), Program{Module: module(t), Main: "./cmd"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	config, err := built.image.ConfigFile()
	if err != nil || config.Config.Entrypoint[0] != "/operator" || config.Config.User != "65532:65532" || config.OS != "linux" {
		t.Errorf("configuration %+v, %v", config, err)
	}
	if !strings.HasPrefix(built.Name(), LocalRepository+"operator:") {
		t.Errorf("the image is called %s", built.Name())
	}
}

// TestGiven: an engine's image is read once for each id, and goes by the name that a node knows it by.
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
		return errors.Join(Archive(file, built), file.Close())
	}
	for name, want := range map[string]string{
		"op:dev": "docker.io/library/op:dev", "team/op": "docker.io/team/op:latest", "example.com:5000/op:1": "example.com:5000/op:1",
	} {
		given, err := b.Given(name, "sha256:1", save)
		if err != nil {
			t.Fatal(err)
		}
		if given.Name() != want {
			t.Errorf("%s is called %s, want %s", name, given.Name(), want)
		}
		own, err := given.AsOperator()
		if err != nil {
			t.Fatal(err)
		}
		digest, err := given.Digest()
		if err != nil || own.Name() != LocalRepository+"operator:"+strings.TrimPrefix(digest, "sha256:")[:16] {
			t.Errorf("as the operator %s is called %s, its digest is %s, %v", name, own.Name(), digest, err)
		}
	}
	if saved != 1 {
		t.Errorf("one image was saved %d times", saved)
	}
	if _, err := b.Given("op:dev", "sha256:2", save); err != nil || saved != 2 {
		t.Errorf("another image by that name was saved %d times in all, %v; want 2", saved, err)
	}
	if _, err := b.Given("op:dev", "sha256:3", func(string) error { return errors.New("no room") }); err == nil || !strings.Contains(err.Error(), "reading image op:dev: no room") {
		t.Errorf("an image that can't be saved: %v", err)
	}
}
