package prune

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
	"github.com/operator-tracing/sandbox/sandbox/engine/enginetest"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// The cache has an old program and one that runs. The engine has three images of the sandbox: one that
// was used, one that was not, and one without a record.
func TestRun(t *testing.T) {
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

	images := []string{artifact.LocalRepository + "node:used", artifact.LocalRepository + "node:unused", artifact.LocalRepository + "probe:unknown"}
	engines := enginetest.New(t)
	engines.Engine("podman", `case "$1 $2" in
images*) printf '%s
' localhost/mine:1 `+strings.Join(images, " ")+`;;
"image inspect") echo 4096;;
esac`)
	s, err := session.Open(session.Options{StateDir: filepath.Join(t.TempDir(), "state"), Source: "../.."})
	if err != nil {
		t.Fatal(err)
	}
	cache.NoteImage(folder, artifact.LocalRepository+"node:used")
	cache.NoteImage(folder, artifact.LocalRepository+"node:unused")
	for _, path := range []string{filepath.Join(old, "links"), old, filepath.Join(running, "links"), running, filepath.Join(folder, "images", "localhost%2Foperator-tracing%2Fnode:unused")} {
		makeOld(t, path, month)
	}
	want := Result{
		DryRun: true, Cache: folder, Bytes: 2 * 4096,
		Removed: []Item{
			{Name: "bin/kwok-0000000000000001"},
			{Name: artifact.LocalRepository + "node:unused", Engine: "podman", Bytes: 4096},
			{Name: artifact.LocalRepository + "probe:unknown", Engine: "podman", Bytes: 4096},
		},
	}
	for _, dryRun := range []bool{true, false} {
		want.DryRun = dryRun
		got, err := Run(t.Context(), s, DefaultUnused, dryRun)
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
		if removed := strings.Count(strings.Join(engines.Calls("podman"), "\n"), "rmi "); removed != map[bool]int{true: 0, false: 2}[dryRun] {
			t.Errorf("dry run %t: %d images were removed", dryRun, removed)
		}
	}
	if _, err := os.Stat(running); err != nil {
		t.Errorf("the program that runs is gone: %v", err)
	}
}

func makeOld(t *testing.T, path string, ago time.Duration) {
	t.Helper()
	past := time.Now().Add(-ago)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
}

func TestNotice(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		size, free int64
		want       string
	}{
		{9 * gib, 5 * gib, ""},
		{12 * gib, gib / 2, ""},
		{12 * gib, 3 * gib, "The cache has 12.0 GiB, of which 3.0 were not used for a week; `sandbox prune` removes these."},
	} {
		if got := notice(c.size, c.free); got != c.want {
			t.Errorf("%d and %d: %q, want %q", c.size, c.free, got, c.want)
		}
	}
}
