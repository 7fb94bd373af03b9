package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// root is this repository.
const root = "../.."

// cloned returns a copy of the repository with a changelog that has an entry for version v0.1.0, and a bare remote "origin".
func cloned(t *testing.T) (clone, remote string) {
	t.Helper()
	scratch := t.TempDir()
	clone, remote = filepath.Join(scratch, "clone"), filepath.Join(scratch, "remote")
	if err := copyTree(t.Context(), root, clone); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(clone, "CHANGELOG.md"), "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-11-30\n\n### Added\n\n- Everything.\n")
	for _, args := range [][]string{
		{"commit", "--all", "--quiet", "--message=changelog"},
		{"init", "--quiet", "--bare", remote},
		{"remote", "add", "origin", remote},
	} {
		mustGit(t, clone, args...)
	}
	return clone, remote
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func mustGit(t *testing.T, folder string, args ...string) string {
	t.Helper()
	out, err := git(t.Context(), folder, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRelease(t *testing.T) {
	t.Parallel()
	clone, remote := cloned(t)
	before := mustGit(t, clone, "rev-parse", "HEAD")
	var out bytes.Buffer
	r := release{root: clone, version: "v0.1.0", remote: "origin", out: &out, dryRun: true}
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"+\tgithub.com/operator-tracing/sandbox/operator/tracing/spantree v0.1.0\n",
		"would tag: operator/tracing/provider/v0.1.0\n", "would tag: v0.1.0\n",
		"would push: git push --atomic origin HEAD:refs/heads/main operator/tracing/spantree/v0.1.0 operator/tracing/v0.1.0 " +
			"operator/tracing/provider/v0.1.0 sandbox/jaeger/v0.1.0 v0.1.0\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the dry run does not print %q:\n%s", want, &out)
		}
	}
	if status, head, tags := mustGit(t, clone, "status", "--porcelain"), mustGit(t, clone, "rev-parse", "HEAD"), mustGit(t, clone, "tag"); status != "" || head != before || tags != "" {
		t.Errorf("the dry run changed the repository: status %q, HEAD %s, want %s, tags %q", status, head, before, tags)
	}

	r.dryRun = false
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := mustGit(t, clone, "status", "--porcelain"); status != "" {
		t.Errorf("the release left changes:\n%s", status)
	}
	if got, want := mustGit(t, remote, "rev-parse", "main"), mustGit(t, clone, "rev-parse", "HEAD"); got != want || got == before {
		t.Errorf("the remote is at %s, want %s, which is not %s", got, want, before)
	}
	want := tags("v0.1.0")
	slices.Sort(want)
	if diff := cmp.Diff(want, strings.Fields(mustGit(t, remote, "tag"))); diff != "" {
		t.Errorf("tags of the remote (-want +got):\n%s", diff)
	}
	checkSums(t, clone, "v0.1.0")
	checkWorkspace(t, clone)
	if err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "operator/tracing/spantree/v0.1.0 exists") {
		t.Errorf("releasing twice: error %v, want one about the tag", err)
	}
}

// checkSums compares the checksums in each go.sum with the modules that the go command makes of the tags.
func checkSums(t *testing.T, clone, version string) {
	t.Helper()
	sums := map[string]string{}
	for _, folder := range modules {
		m := module.Version{Path: strings.TrimSuffix(repository+"/"+folder, "/."), Version: version}
		archive := filepath.Join(t.TempDir(), "module.zip")
		file, err := os.Create(archive)
		if err != nil {
			t.Fatal(err)
		}
		if err := zip.CreateFromVCS(file, m, clone, strings.TrimPrefix(folder+"/"+version, "./"), strings.TrimPrefix(folder, ".")); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		if sums[m.Path], err = dirhash.HashZip(archive, dirhash.Hash1); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range modules {
		goMod := parseModule(t, filepath.Join(clone, folder, "go.mod"))
		for _, r := range goMod.Require {
			if !ours(r.Mod.Path) {
				continue
			}
			if r.Mod.Version != version {
				t.Errorf("%s requires %s", folder, r.Mod)
			}
			goSum, err := os.ReadFile(filepath.Join(clone, folder, "go.sum"))
			if err != nil {
				t.Fatal(err)
			}
			if line := r.Mod.Path + " " + version + " " + sums[r.Mod.Path] + "\n"; !strings.Contains(string(goSum), line) {
				t.Errorf("go.sum of %s has no line %q", folder, line)
			}
		}
	}
}

// checkWorkspace lists the packages of the operator, for which the go command must find the released modules in the workspace.
func checkWorkspace(t *testing.T, clone string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-buildvcs=false", "-deps", "./operator", "./sandbox")
	cmd.Dir = clone
	cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(clone, "go.work"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("listing the operator's packages after the release: %v\n%s", err, out)
	}
}

func parseModule(t *testing.T, name string) *modfile.File {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse(name, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReleaseRefuses(t *testing.T) {
	t.Parallel()
	clone, _ := cloned(t)
	write(t, filepath.Join(clone, "CHANGELOG.md"), "## [0.1.0] - 2026-11-30\n\n- Everything.\n\n## [0.0.2] - soon\n\n- A fix.\n\n## [0.0.1] - 2026-11-01\n\n### Fixed\n")
	mustGit(t, clone, "commit", "--all", "--quiet", "--message=changelog")
	for version, want := range map[string]string{
		"":                                   "invalid version",
		"0.1.0":                              "invalid version",
		"v0.1":                               "invalid version",
		"v2.0.0":                             "invalid version",
		"v0.1.0+build":                       "invalid version",
		"v0.0.0-20261130000000-0123456789ab": "pseudo-version",
		"v0.2.0":                             `no entry "## [0.2.0] - YYYY-MM-DD"`,
		"v0.0.2":                             "date of v0.0.2",
		"v0.0.1":                             "the entry of v0.0.1 is empty",
	} {
		r := release{root: clone, version: version, remote: "origin", out: t.Output()}
		if err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("release %q: error %v, want one that contains %q", version, err, want)
		}
	}
	r := release{root: clone, version: "v0.1.0", remote: "nowhere", out: t.Output()}
	if err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "checking the remote") {
		t.Errorf("an unknown remote: error %v", err)
	}
	r.remote = "origin"
	write(t, filepath.Join(clone, "new.txt"), "")
	if err := r.run(t.Context()); err == nil || !strings.Contains(err.Error(), "changes that are not committed") {
		t.Errorf("a tree with a new file: error %v", err)
	}
	if got := mustGit(t, clone, "tag"); got != "" {
		t.Errorf("refused releases made the tags %q", got)
	}
}

// The scripts and this program must know the same modules, and no go.mod that others use may have a replace line.
func TestModules(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `source scripts/modules.sh && echo "${modules[@]}"`)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(modules, strings.Fields(string(out))); diff != "" {
		t.Errorf("modules of scripts/modules.sh (-want +got):\n%s", diff)
	}
	for _, folder := range modules {
		file := parseModule(t, filepath.Join(root, folder, "go.mod"))
		if len(file.Replace) > 0 {
			t.Errorf("%s/go.mod has a replace line", folder)
		}
		if want := strings.TrimSuffix(repository+"/"+folder, "/."); file.Module.Mod.Path != want {
			t.Errorf("the module in %s is %s, want %s", folder, file.Module.Mod.Path, want)
		}
	}
	if file := parseModule(t, filepath.Join(root, "operator/tracing/spantree/go.mod")); len(file.Require) > 0 {
		t.Errorf("spantree requires %d modules, want none", len(file.Require))
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"v0.1.0", "v0.2.0"}, {"--unknown"}, {"--dry-run", "0.1"}, {"0.1", "--dry-run"}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("run(%q) = nil, want an error", args)
		}
	}
}

func TestCompareSums(t *testing.T) {
	t.Parallel()
	want := []string{
		"a.example v1.9.0 h1:z/=", "a.example v1.9.0/go.mod h1:a=", "a.example v1.10.0/go.mod h1:b=",
		"a.example/b v0.1.0 h1:/=", "a.example/b v0.1.0/go.mod h1:c=",
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareSums)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}
