package gocmd

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// The shell stands in for go build -v.
func TestRun(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	for _, test := range []struct {
		name, script string
		said         string
		wants        []string
		lacks        string
	}{
		{name: "counts packages", script: `echo internal/abi >&2; echo k8s.io/api/core/v1 >&2`, said: "1 packages compiled;2 packages compiled"},
		{name: "reports downloads", script: `echo 'go: downloading k8s.io/api v1.0.0' >&2; echo a/b >&2`, said: "downloading modules;1 packages compiled"},
		{name: "the compiler's messages are in the error", script: `echo a/b >&2; echo '# a/b' >&2; echo './x.go:3:5: undefined: y' >&2; exit 1`,
			said: "1 packages compiled", wants: []string{"exit status 1: ", "# a/b\n./x.go:3:5: undefined: y"}, lacks: "a/b\n#"},
		{name: "a module without go.sum", script: `for i in 1 2; do echo "x.go:$i:2: missing go.sum entry for module providing package a/b; to add:" >&2; echo '	go get c' >&2; done; exit 1`,
			wants: []string{"exit status 1: x.go:1:2: missing go.sum entry", "a/b; run `go mod tidy`"}, lacks: "go get"},
		{name: "only the last lines", script: `for i in $(seq 40); do echo "line $i of many" >&2; done; exit 3`,
			wants: []string{"exit status 3", "line 40 of many", "line 26 of many"}, lacks: "line 25 of many"},
		{name: "a line too long to read does not stop the build", script: "echo " + long + " >&2; echo a/b >&2; exit 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var said []string
			err := Run(exec.CommandContext(t.Context(), "/bin/sh", "-c", test.script),
				func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
			if got := strings.Join(said, ";"); got != test.said {
				t.Errorf("progress = %q, want %q", got, test.said)
			}
			if (err != nil) != (len(test.wants) > 0) {
				t.Fatalf("Run() = %v", err)
			}
			for _, want := range test.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Run() = %v, want %q", err, want)
				}
			}
			if test.lacks != "" && strings.Contains(err.Error(), test.lacks) {
				t.Errorf("Run() = %v, want it without %q", err, test.lacks)
			}
		})
	}
}

func TestRunWithoutGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := Run(exec.CommandContext(t.Context(), "go", "build"), nil)
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "install Go") {
		t.Errorf("Run() = %v, want the remedy to install Go", err)
	}
}

func TestIsPackageLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"internal/abi": true, "k8s.io/api/core/v1": true, "gopkg.in/yaml.v3": true, "example.test/a~b": true,
		"": false, "# k8s.io/api": false, "./main.go:3:4: undefined: x": false, "\tfor example": false,
		"go: downloading k8s.io/api v0.37.2": false, "main.go:1: note": false,
	} {
		if got := isPackageLine(line); got != want {
			t.Errorf("isPackageLine(%q) = %t, want %t", line, got, want)
		}
	}
}
