package image

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// names lists what a folder holds, hidden files too.
func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

func TestFillMakesTheFolderInOneStep(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "bin")
	dir := filepath.Join(parent, "made")
	err := fill(dir, []string{"program"}, func(temporary string) error {
		put(t, temporary, "program", "text")
		if fileExists(dir) {
			t.Error("the folder is there before it is full")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "program")); got != "text" {
		t.Errorf("the file holds %q", got)
	}
	if diff := cmp.Diff([]string{"made"}, names(t, parent)); diff != "" {
		t.Errorf("the parent's entries (-want +got):\n%s", diff)
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v: others can't read the cache", info.Mode())
	}
}

func TestFillThatFailsLeavesWhatWasThere(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "made")
	put(t, dir, "program", "old")
	failure := errors.New("no space")
	err := fill(dir, []string{"program"}, func(temporary string) error {
		put(t, temporary, "program", "half")
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("error %v, want %v", err, failure)
	}
	if got := read(t, filepath.Join(dir, "program")); got != "old" {
		t.Errorf("the old file became %q", got)
	}
	if diff := cmp.Diff([]string{"made"}, names(t, parent)); diff != "" {
		t.Errorf("the parent's entries (-want +got):\n%s", diff)
	}
}

func TestFillReplacesAFolderThatLacksSomething(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	put(t, dir, "stale", "")
	if err := fill(dir, []string{"fresh"}, func(temporary string) error { put(t, temporary, "fresh", ""); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"fresh"}, names(t, dir)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// A killed command can't clean up: the next one does, but never takes a folder from one that still works.
func TestFillRemovesLeftoversOfKilledCommands(t *testing.T) {
	parent := t.TempDir()
	put(t, parent, making+"old/root/etc/passwd", "")
	put(t, parent, making+"new/half", "")
	put(t, parent, "kept/program", "")
	past := time.Now().Add(-abandoned - time.Minute)
	for _, name := range []string{making + "old", "kept"} {
		if err := os.Chtimes(filepath.Join(parent, name), past, past); err != nil {
			t.Fatal(err)
		}
	}
	if err := fill(filepath.Join(parent, "made"), []string{"program"}, func(temporary string) error { put(t, temporary, "program", ""); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{making + "new", "kept", "made"}, names(t, parent)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestRemoveCacheTakesOnlyItsOwn(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "cache")
	for _, own := range cacheFolders {
		put(t, folder, own+"/thing/file", "")
	}
	put(t, folder, "notes.txt", "the user's")
	if err := RemoveCache(folder); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"notes.txt"}, names(t, folder)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}

	if err := os.Remove(filepath.Join(folder, "notes.txt")); err != nil {
		t.Fatal(err)
	}
	if err := RemoveCache(folder); err != nil {
		t.Fatal(err)
	}
	if fileExists(folder) {
		t.Error("the empty folder is still there")
	}
	if err := RemoveCache(folder); err != nil {
		t.Errorf("removing a cache that is not there: %v", err)
	}
}
