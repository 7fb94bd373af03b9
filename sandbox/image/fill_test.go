package image

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
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
	if diff := cmp.Diff([]string{sizesFile, "fresh"}, names(t, dir)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// Programs may run from the folder that the faster command made.
func TestFillLeavesWhatAnotherCommandFilledMeanwhile(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "made")
	err := fill(dir, []string{"program"}, func(temporary string) error {
		put(t, temporary, "program", "mine")
		put(t, dir, "program", "theirs")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "program")); got != "theirs" {
		t.Errorf("the file holds %q", got)
	}
	if diff := cmp.Diff([]string{"made"}, names(t, parent)); diff != "" {
		t.Errorf("the parent's entries (-want +got):\n%s", diff)
	}
}

func TestFillAtOnceByManyCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	var group errgroup.Group
	for range 16 {
		group.Go(func() error {
			return fill(dir, []string{"a", "b"}, func(temporary string) error {
				return errors.Join(os.WriteFile(filepath.Join(temporary, "a"), nil, 0o644), os.WriteFile(filepath.Join(temporary, "b"), nil, 0o644))
			})
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if !complete(dir, []string{"a", "b"}) {
		t.Errorf("the folder holds %v", names(t, dir))
	}
}

// A killed command can't clean up: the next one does, but never takes a folder from one that still works.
func TestFillRemovesLeftoversOfKilledCommands(t *testing.T) {
	parent := t.TempDir()
	put(t, parent, making+"old/root/etc/passwd", "")
	put(t, parent, making+"new/half", "")
	put(t, parent, "kept/program", "")
	for _, name := range []string{making + "old", "kept"} {
		usedAgo(t, filepath.Join(parent, name), abandoned+time.Minute)
	}
	if err := fill(filepath.Join(parent, "made"), []string{"program"}, func(temporary string) error { put(t, temporary, "program", ""); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{making + "new", "kept", "made"}, names(t, parent)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func usedAgo(t *testing.T, path string, ago time.Duration) {
	t.Helper()
	past := time.Now().Add(-ago)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
}

func TestPrune(t *testing.T) {
	const keep = 2
	key := func(i int) string { return fmt.Sprintf("tool-%016x", i) }
	for _, test := range []struct {
		name string
		ages map[string]time.Duration
		use  string // a folder that is used again first
		want []string
	}{
		{name: "nothing"},
		{name: "fewer than are kept", ages: map[string]time.Duration{key(1): 9 * time.Hour}, want: []string{key(1)}},
		{
			name: "the oldest go", want: []string{key(2), key(4)},
			ages: map[string]time.Duration{key(1): 5 * time.Hour, key(2): 3 * time.Hour, key(3): 9 * time.Hour, key(4): 2 * time.Hour},
		},
		{
			name: "not what was used within the hour", want: []string{key(1), key(2), key(3)},
			ages: map[string]time.Duration{key(1): 5 * time.Minute, key(2): 55 * time.Minute, key(3): 50 * time.Minute, key(4): 65 * time.Minute},
		},
		{
			name: "what is used again is new", use: key(3), want: []string{key(2), key(3)},
			ages: map[string]time.Duration{key(1): 5 * time.Hour, key(2): 3 * time.Hour, key(3): 9 * time.Hour},
		},
		{
			name: "only folders with a key", want: []string{key(1), key(2), "other-0000000000000001", "tool", "tool-init-0000000000000001", making + "1"},
			ages: map[string]time.Duration{
				key(1): 2 * time.Hour, key(2): 3 * time.Hour, key(3): 4 * time.Hour,
				"other-0000000000000001": 9 * time.Hour, "tool": 9 * time.Hour, "tool-init-0000000000000001": 9 * time.Hour, making + "1": 9 * time.Hour,
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			// A bracket in a path must not be taken for a pattern.
			parent := filepath.Join(t.TempDir(), "a [folder]")
			for name, age := range test.ages {
				put(t, parent, name+"/tool", "")
				usedAgo(t, filepath.Join(parent, name), age)
			}
			if test.use != "" && !use(filepath.Join(parent, test.use), []string{"tool"}) {
				t.Errorf("%s is not complete", test.use)
			}
			prune(parent, "tool", keep)
			if len(test.ages) == 0 {
				return // There is no folder, and nothing has failed.
			}
			if diff := cmp.Diff(sorted(test.want), names(t, parent)); diff != "" {
				t.Errorf("folders (-want +got):\n%s", diff)
			}
		})
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

// An output that was cut short after it was made is made again.
func TestUseOfWhatWasCutShort(t *testing.T) {
	for name, test := range map[string]struct {
		fill func(t *testing.T, dir string)
		cut  bool
		want bool
	}{
		"as it was made": {fillOnce, false, true},
		"cut short":      {fillOnce, true, false},
		"of a version that noted no sizes, looked at once since": {func(t *testing.T, dir string) {
			t.Helper()
			put(t, dir, "program", "text")
			use(dir, []string{"program"})
		}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "made")
			test.fill(t, dir)
			if test.cut {
				if err := os.Truncate(filepath.Join(dir, "program"), 2); err != nil {
					t.Fatal(err)
				}
			}
			if got := use(dir, []string{"program"}); got != test.want {
				t.Fatalf("use is %t, want %t", got, test.want)
			}
			fillOnce(t, dir)
			if got := read(t, filepath.Join(dir, "program")); got != "text" || !use(dir, []string{"program"}) {
				t.Errorf("after another fill the file holds %q", got)
			}
		})
	}
}

func fillOnce(t *testing.T, dir string) {
	t.Helper()
	if err := fill(dir, []string{"program"}, func(temporary string) error {
		put(t, temporary, "program", "text")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
