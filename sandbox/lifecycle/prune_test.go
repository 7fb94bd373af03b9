package lifecycle

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// The cache has an old program and one that runs. The engine has three images of the sandbox: one that
// was used, one that was not, and one without a record.
func TestPrune(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	folder := filepath.Join(os.Getenv("XDG_CACHE_HOME"), state.Product)
	const month = 30 * 24 * time.Hour
	old, running := filepath.Join(folder, "bin", "kwok-0000000000000001"), filepath.Join(folder, "bin", "kwok-0000000000000002")
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{old, running} {
		if err := os.MkdirAll(filepath.Join(folder, "links"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(sleep, filepath.Join(folder, "links", "sleep")); err != nil {
			t.Fatal(err)
		}
	}
	program := exec.CommandContext(t.Context(), filepath.Join(running, "links", "sleep"), "600")
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = program.Wait() }) // The test's end has killed it.

	calls := fakeEngine(t)
	run, err := Open(session.Options{StateDir: filepath.Join(t.TempDir(), "state"), Source: "../.."})
	if err != nil {
		t.Fatal(err)
	}
	cache.NoteImage(folder, artifact.LocalRepository+"node:used")
	cache.NoteImage(folder, artifact.LocalRepository+"node:unused")
	for _, path := range []string{filepath.Join(old, "links"), old, filepath.Join(running, "links"), running, filepath.Join(folder, "images", "localhost%2Foperator-tracing%2Fnode:unused")} {
		makeOld(t, path, month)
	}
	want := Pruned{
		DryRun: true, Cache: folder, Bytes: 2 * 4096,
		Removed: []PrunedThing{
			{Name: "bin/kwok-0000000000000001"},
			{Name: artifact.LocalRepository + "node:unused", Engine: "podman", Bytes: 4096},
			{Name: artifact.LocalRepository + "probe:unknown", Engine: "podman", Bytes: 4096},
		},
	}
	for _, dryRun := range []bool{true, false} {
		want.DryRun = dryRun
		got, err := run.Prune(t.Context(), DefaultUnused, dryRun)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got.Removed {
			if known := got.Removed[i].LastUsed != nil; known == strings.HasSuffix(got.Removed[i].Name, "unknown") {
				t.Errorf("%s: its last use is known: %t", got.Removed[i].Name, known)
			}
			got.Removed[i].LastUsed = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dry run %t (-want +got):\n%s", dryRun, diff)
		}
		if _, err := os.Stat(old); os.IsNotExist(err) == dryRun {
			t.Errorf("dry run %t, and then: %v", dryRun, err)
		}
		if removed := strings.Count(calls(), "rmi "); removed != map[bool]int{true: 0, false: 2}[dryRun] {
			t.Errorf("dry run %t: %d images were removed", dryRun, removed)
		}
	}
	if _, err := os.Stat(running); err != nil {
		t.Errorf("the program that runs is gone: %v", err)
	}
}

// fakeEngine puts a podman before all others that has three images of the sandbox's, and one of the user's. It returns what lists its calls.
func fakeEngine(t *testing.T) (calls func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "calls")
	script := `#!/bin/sh
echo "$*" >>` + log + `
case "$1 $2" in
images*) printf 'localhost/mine:1\n`
	for _, name := range []string{"node:used", "node:unused", "probe:unknown"} {
		script += artifact.LocalRepository + name + `\n`
	}
	script += `';;
"image inspect") echo 4096;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "podman"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return func() string {
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

func makeOld(t *testing.T, path string, ago time.Duration) {
	t.Helper()
	past := time.Now().Add(-ago)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
}

func TestCacheNotice(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		size, free int64
		want       string
	}{
		{9 * gib, 5 * gib, ""},
		{12 * gib, gib / 2, ""},
		{12 * gib, 3 * gib, "The cache takes 12.0 GiB, 3.0 of them unused for a week: `sandbox prune` removes these."},
	} {
		if got := cacheNotice(c.size, c.free); got != c.want {
			t.Errorf("%d and %d: %q, want %q", c.size, c.free, got, c.want)
		}
	}
}
