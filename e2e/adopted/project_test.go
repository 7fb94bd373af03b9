package adopted

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// testdata is the library's, with the operator and the document's patches.
const testdata = "../../operator/tracing/testdata"

// project is a copy of the small operator, which has adopted the library.
type project struct {
	t      *testing.T
	folder string
}

// adopt copies the operator, and adopts the library as the document describes for untagged versions: with a workspace of a
// clone of this repository, and patches.
func adopt(t *testing.T, patches ...string) *project {
	t.Helper()
	p := adoptIn(t, "adopter", patches...)
	// An image that every node has.
	p.replace("config/samples/cache.yaml", "registry.example.com/cache:1", "registry.k8s.io/pause:3.10.2")
	return p
}

// adoptIn is adopt for any operator in the library's tests.
func adoptIn(t *testing.T, operator string, patches ...string) *project {
	t.Helper()
	root := t.TempDir()
	p := &project{t: t, folder: filepath.Join(root, "cache-operator")}
	if err := os.CopyFS(p.folder, os.DirFS(filepath.Join(testdata, operator))); err != nil {
		t.Fatal(err)
	}
	library, err := filepath.Abs("../../operator/tracing")
	if err != nil {
		t.Fatal(err)
	}
	p.run("GOWORK="+filepath.Join(root, "go.work"), filepath.Join(library, "../../scripts/workspace.sh"), p.folder)
	for _, patch := range patches {
		p.run("GIT_CEILING_DIRECTORIES="+root, "git", "apply", filepath.Join(library, "testdata", patch))
	}
	return p
}

func (p *project) run(variable, name string, args ...string) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), name, args...)
	cmd.Dir, cmd.Env = p.folder, append(os.Environ(), variable)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("running %s: %v\n%s", cmd, err, out)
	}
}

// replace changes a file, in which the old text must be.
func (p *project) replace(name, old, now string) {
	p.t.Helper()
	path := filepath.Join(p.folder, name)
	text, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(old)) {
		p.t.Fatalf("there is no %q in %s", old, name)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(old), []byte(now)), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// addWebhook adds what installs a webhook.
func (p *project) addWebhook() {
	p.t.Helper()
	if err := os.CopyFS(filepath.Join(p.folder, "config", "webhook"), os.DirFS("testdata/webhook")); err != nil {
		p.t.Fatal(err)
	}
	p.replace("sandbox.yaml", "config/default", "config/webhook")
}

func (p *project) file() string { return filepath.Join(p.folder, "sandbox.yaml") }

// one is text in one line, for errors.
func one(text string) string { return strings.Join(strings.Fields(text), " ") }
