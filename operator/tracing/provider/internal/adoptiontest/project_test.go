package adoptiontest

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	testdata    = "../../../testdata"
	adoptedTest = "adopted/cache_controller_test.go" // in testdata, for the adopted operator

	// Limits of added or changed lines, in total and for the operator of the document.
	maxLines        = 8
	documentedLines = 6
)

// project is a copy of an operator of testdata, in a workspace with the library.
type project struct {
	folder string
	work   string // its go.work file
}

// copyProject copies the operator to a folder outside of any workspace and repository.
func copyProject(t *testing.T, name string) *project {
	t.Helper()
	root := t.TempDir()
	p := &project{folder: filepath.Join(root, name), work: filepath.Join(root, "go.work")}
	if err := os.CopyFS(p.folder, os.DirFS(filepath.Join(testdata, name))); err != nil {
		t.Fatal(err)
	}
	// In a workspace, an import requires no line in go.mod. Without one, `go get` would add it.
	p.run(t, "go", append([]string{"work", "init", p.folder}, libraryFolders(t)...)...)
	p.run(t, "go", append([]string{"work", "edit"}, replacements(t)...)...)
	return p
}

const library = "github.com/operator-tracing/sandbox/operator/tracing"

// libraryFolders returns the folders of the library's modules.
func libraryFolders(t *testing.T) []string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, module := range []string{"", "provider", "spantree"} {
		if _, err := os.Stat(filepath.Join(root, module, "go.mod")); err == nil {
			out = append(out, filepath.Join(root, module))
		}
	}
	return out
}

// replacements returns flags that replace the versions at which the library's modules require each
// other, because they may not be published yet.
func replacements(t *testing.T) []string {
	t.Helper()
	required := regexp.MustCompile(`(?m)` + regexp.QuoteMeta(library) + `(/\w+)? v\S+`)
	flags := map[string]bool{}
	folders := libraryFolders(t)
	for _, folder := range folders {
		for _, match := range required.FindAllStringSubmatch(read(t, filepath.Join(folder, "go.mod")), -1) {
			module, version, _ := strings.Cut(match[0], " ")
			flags[fmt.Sprintf("-replace=%s@%s=%s", module, version, folders[0]+match[1])] = true
		}
	}
	return slices.Sorted(maps.Keys(flags))
}

// run runs a command in the copy. It uses the same go flags as all builds of this repository, to
// share the build cache.
func (p *project) run(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = p.folder
	cmd.Env = append(os.Environ(), "GOWORK="+p.work, "GOFLAGS=-trimpath", "CGO_ENABLED=0", "GIT_CEILING_DIRECTORIES="+filepath.Dir(p.folder))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("running %s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// apply applies a patch of testdata.
func (p *project) apply(t *testing.T, name string) {
	t.Helper()
	patch, err := filepath.Abs(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	p.run(t, "git", "apply", patch)
}

// build builds the program of a package.
func (p *project) build(t *testing.T, main string) (program string) {
	t.Helper()
	program = filepath.Join(filepath.Dir(p.folder), "manager")
	p.run(t, "go", "build", "-o", program, main)
	return program
}

// changedLines counts the lines that a unified diff adds, changes or removes. A replaced line
// counts once.
func changedLines(patch string) int {
	total, plus, minus := 0, 0, 0
	for line := range strings.Lines(patch) {
		switch {
		case strings.HasPrefix(line, "+++ "), strings.HasPrefix(line, "--- "):
		case strings.HasPrefix(line, "+"):
			plus++
			continue
		case strings.HasPrefix(line, "-"):
			minus++
			continue
		}
		total += max(plus, minus)
		plus, minus = 0, 0
	}
	return total + max(plus, minus)
}

func TestChangedLines(t *testing.T) {
	for patch, want := range map[string]int{
		"":                                    0,
		"--- a/x\n+++ b/x\n@@ -1 +1 @@\n a\n": 0,
		"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n c\n+d\n-e\n": 2,
		" a\n-b\n-c\n+d\n": 2,
		" a\n+b\n+c\n+d":   3,
	} {
		if got := changedLines(patch); got != want {
			t.Errorf("%d lines are changed, want %d:\n%s", got, want, patch)
		}
	}
}

// TestPatchesAreSmall checks the size of each adoption: at most eight lines in main.go, for any
// number of controllers and webhooks, in operators without knowledge of the library.
func TestPatchesAreSmall(t *testing.T) {
	for name, limit := range map[string]int{"adopter": documentedLines, "multigroup": maxLines, "handwired": maxLines, "owntracing": maxLines} {
		patch := read(t, filepath.Join(testdata, name+".patch"))
		if got := changedLines(patch); got == 0 || got > limit {
			t.Errorf("%s.patch changes %d lines, want at most %d", name, got, limit)
		}
		for line := range strings.Lines(patch) {
			if strings.HasPrefix(line, "+++ ") && filepath.Base(strings.TrimSpace(line)) != "main.go" {
				t.Errorf("%s.patch changes a file other than main.go: %s", name, line)
			}
		}
		words := []string{"operator-tracing"}
		if name != "owntracing" {
			words = append(words, "tracing", "opentelemetry", "otel")
		}
		wantWithout(t, os.DirFS(filepath.Join(testdata, name)), words)
	}
}

// wantWithout fails the test if a file contains one of the words.
func wantWithout(t *testing.T, operator fs.FS, words []string) {
	t.Helper()
	err := fs.WalkDir(operator, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Base(path) == "go.sum" {
			return err
		}
		content, err := fs.ReadFile(operator, path)
		for _, word := range words {
			if strings.Contains(strings.ToLower(string(content)), word) {
				t.Errorf("%s mentions %s before it is adopted", path, word)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
