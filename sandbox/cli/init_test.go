package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// init writes the file once, prints the source of each field, and overwrites it only with --force.
func TestInit(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "project")
	if err := os.CopyFS(folder, os.DirFS("../../operator/tracing/testdata/adopter")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, projectFile)
	first := execute(t, nil, "init", folder)
	if first.code != exitOK || first.stdout != path+"\n" || !strings.Contains(first.stderr, "operator.build.main") || !strings.Contains(first.stderr, "cmd/main.go") {
		t.Errorf("exit code %d\n%s%s", first.code, first.stdout, first.stderr)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := execute(t, nil, "init", folder)
	if again.code != exitFailure || again.stderr != "Error: writing "+path+": the file exists; pass --force to overwrite it\n" {
		t.Errorf("exit code %d: %s", again.code, again.stderr)
	}
	if kept, err := os.ReadFile(path); err != nil || string(kept) != "mine" {
		t.Errorf("the user's file became %q, %v", kept, err)
	}
	forced := execute(t, nil, "init", "--force", folder)
	if text, err := os.ReadFile(path); forced.code != exitOK || err != nil || string(text) != string(written) {
		t.Errorf("exit code %d, the file is %q, %v", forced.code, text, err)
	}
}

func TestInitElsewhere(t *testing.T) {
	folder := t.TempDir()
	got := execute(t, nil, "init", folder)
	if got.code != exitFailure || !strings.Contains(got.stderr, "no PROJECT file") {
		t.Errorf("exit code %d: %s", got.code, got.stderr)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
}

// A mistake in a file is reported with its position and the name of the document.
func TestMistakesInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), projectFile)
	text := "apiVersion: sandbox.operator-tracing.dev/v1alpha1\nkind: Sandbox\noperator:\n  manifest: [x]\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"up", "-f", path}, {"load", "operator", "-f", path}, {"build", "-f", path}} {
		got := execute(t, nil, append([]string{"--state-dir=" + t.TempDir()}, args...)...)
		want := "Error: " + path + ":4:3: operator.manifest: unknown field (did you mean manifests?)\nSee docs/sandbox-yaml.md.\n"
		if got.code != exitUsage || got.stderr != want {
			t.Errorf("%v: exit code %d: %q, want %q", args, got.code, got.stderr, want)
		}
	}
}
