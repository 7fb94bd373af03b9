package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/operator-tracing/sandbox/sandbox/artifact/internal/filetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// writing returns a function for Ensure that writes one file, "program".
func writing(t *testing.T, content string) func(string) error {
	t.Helper()
	return func(temporary string) error {
		filetest.Put(t, temporary, "program", content)
		return nil
	}
}

var program = []string{"program"}

func wantNames(t *testing.T, folder string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, filetest.Names(t, folder)); diff != "" {
		t.Errorf("entries of %s (-want +got):\n%s", folder, diff)
	}
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	if got := filetest.Read(t, path); got != want {
		t.Errorf("content of %s = %q, want %q", path, got, want)
	}
}

func TestEnsureFillsAtomically(t *testing.T) {
	t.Parallel()
	parent := filepath.Join(t.TempDir(), "bin")
	dir := filepath.Join(parent, "build")
	found, err := Ensure(dir, program, func(temporary string) error {
		filetest.Put(t, temporary, "program", "text")
		if exists(dir) {
			t.Error("the folder exists before it is complete")
		}
		return nil
	})
	if found || err != nil {
		t.Fatalf("Ensure() = %t, %v", found, err)
	}
	wantContent(t, filepath.Join(dir, "program"), "text")
	wantNames(t, parent, "build")
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o755 {
		t.Errorf("mode = %v, want 0755 so that other users can read the cache", info.Mode())
	}
	found, err = Ensure(dir, program, func(string) error { return errors.New("called") })
	if !found || err != nil {
		t.Errorf("second Ensure() = %t, %v; want true and no work", found, err)
	}
}

func TestEnsureKeepsTheFolderOnFailure(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "build")
	filetest.Put(t, dir, "other", "old")
	failure := errors.New("no space")
	_, err := Ensure(dir, program, func(temporary string) error {
		filetest.Put(t, temporary, "program", "half")
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("error = %v, want %v", err, failure)
	}
	wantContent(t, filepath.Join(dir, "other"), "old")
	wantNames(t, parent, "build")
}

func TestEnsureReplacesAnIncompleteFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "build")
	filetest.Put(t, dir, "stale", "")
	if _, err := Ensure(dir, program, writing(t, "text")); err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir, sizesFile, "program")
}

// Programs may run from the folder that the faster command completed.
func TestEnsureKeepsTheFolderOfAFasterCommand(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "build")
	_, err := Ensure(dir, program, func(temporary string) error {
		filetest.Put(t, temporary, "program", "mine")
		filetest.Put(t, dir, "program", "theirs")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, filepath.Join(dir, "program"), "theirs")
	wantNames(t, parent, "build")
}

func TestEnsureConcurrently(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "build")
	var group errgroup.Group
	for range 16 {
		group.Go(func() error {
			_, err := Ensure(dir, []string{"a", "b"}, func(temporary string) error {
				return errors.Join(os.WriteFile(filepath.Join(temporary, "a"), nil, 0o644), os.WriteFile(filepath.Join(temporary, "b"), nil, 0o644))
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if !Complete(dir, []string{"a", "b"}) {
		t.Errorf("the folder has %v", filetest.Names(t, dir))
	}
}

// A killed command can't clean up. A later one does, but keeps the folder of a running command.
func TestEnsureDeletesFoldersOfKilledCommands(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	filetest.Put(t, parent, making+"old/root/etc/passwd", "")
	filetest.Put(t, parent, making+"new/half", "")
	filetest.Put(t, parent, "kept/program", "")
	for _, name := range []string{making + "old", "kept"} {
		filetest.UsedAgo(t, filepath.Join(parent, name), abandoned+time.Minute)
	}
	if _, err := Ensure(filepath.Join(parent, "build"), program, writing(t, "")); err != nil {
		t.Fatal(err)
	}
	wantNames(t, parent, making+"new", "kept", "build")
}

func TestEnsureFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	files := map[string][]byte{"Chart.yaml": []byte("name: x"), "templates/a.yaml": []byte("a")}
	dir, err := EnsureFiles(folder, "chart", files)
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, filepath.Join(dir, "templates", "a.yaml"), "a")
	if again, err := EnsureFiles(folder, "chart", files); again != dir || err != nil {
		t.Errorf("EnsureFiles() of the same files = %s, %v; want %s", again, err, dir)
	}
	files["Chart.yaml"] = []byte("name: y")
	if other, err := EnsureFiles(folder, "chart", files); other == dir || err != nil {
		t.Errorf("EnsureFiles() of other files = %s, %v; want another folder", other, err)
	}
	if key := "chart-" + KeyOf(dir); filepath.Base(dir) != key {
		t.Errorf("KeyOf(%s) = %s", dir, KeyOf(dir))
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	const keep = 2
	key := func(i int) string { return fmt.Sprintf("tool-%016x", i) }
	for _, test := range []struct {
		name string
		ages map[string]time.Duration
		use  string // a folder that is used first
		want []string
	}{
		{name: "no folder"},
		{name: "fewer than are kept", ages: map[string]time.Duration{key(1): 9 * time.Hour}, want: []string{key(1)}},
		{
			name: "deletes the oldest", want: []string{key(2), key(4)},
			ages: map[string]time.Duration{key(1): 5 * time.Hour, key(2): 3 * time.Hour, key(3): 9 * time.Hour, key(4): 2 * time.Hour},
		},
		{
			name: "keeps folders used within the hour", want: []string{key(1), key(2), key(3)},
			ages: map[string]time.Duration{key(1): 5 * time.Minute, key(2): 55 * time.Minute, key(3): 50 * time.Minute, key(4): 65 * time.Minute},
		},
		{
			name: "counts a use", use: key(3), want: []string{key(2), key(3)},
			ages: map[string]time.Duration{key(1): 5 * time.Hour, key(2): 3 * time.Hour, key(3): 9 * time.Hour},
		},
		{
			name: "deletes only folders with a key", want: []string{key(1), key(2), "other-0000000000000001", "tool", "tool-init-0000000000000001", making + "1"},
			ages: map[string]time.Duration{
				key(1): 2 * time.Hour, key(2): 3 * time.Hour, key(3): 4 * time.Hour,
				"other-0000000000000001": 9 * time.Hour, "tool": 9 * time.Hour, "tool-init-0000000000000001": 9 * time.Hour, making + "1": 9 * time.Hour,
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			// A bracket in a path must not be parsed as a pattern.
			parent := filepath.Join(t.TempDir(), "a [folder]")
			for name, age := range test.ages {
				filetest.Put(t, parent, name+"/tool", "")
				filetest.UsedAgo(t, filepath.Join(parent, name), age)
			}
			if test.use != "" && !Use(filepath.Join(parent, test.use), []string{"tool"}) {
				t.Errorf("Use(%s) = false", test.use)
			}
			Prune(parent, "tool", keep)
			if len(test.ages) > 0 {
				wantNames(t, parent, test.want...)
			}
		})
	}
}

func TestRemoveKeepsOtherFiles(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "cache")
	for _, own := range append([]string{imagesFolder, registryFolder}, keyedFolders...) {
		filetest.Put(t, folder, own+"/entry/file", "")
	}
	notes := filetest.Put(t, folder, "notes.txt", "the user's")
	if err := Remove(folder); err != nil {
		t.Fatal(err)
	}
	wantNames(t, folder, "notes.txt")

	if err := os.Remove(notes); err != nil {
		t.Fatal(err)
	}
	if err := Remove(folder); err != nil || exists(folder) {
		t.Errorf("Remove() = %v, want that the empty folder is deleted", err)
	}
	if err := Remove(folder); err != nil {
		t.Errorf("Remove() without a cache = %v", err)
	}
}

func TestUseOfTruncatedFiles(t *testing.T) {
	t.Parallel()
	ensure := func(t *testing.T, dir string) {
		t.Helper()
		if _, err := Ensure(dir, program, writing(t, "text")); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		fill     func(t *testing.T, dir string)
		truncate bool
		want     bool
	}{
		"complete":  {ensure, false, true},
		"truncated": {ensure, true, false},
		"from a version that noted no sizes, used once since": {func(t *testing.T, dir string) {
			t.Helper()
			filetest.Put(t, dir, "program", "text")
			Use(dir, program)
		}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "build")
			test.fill(t, dir)
			if test.truncate {
				if err := os.Truncate(filepath.Join(dir, "program"), 2); err != nil {
					t.Fatal(err)
				}
			}
			if got := Use(dir, program); got != test.want {
				t.Fatalf("Use() = %t, want %t", got, test.want)
			}
			ensure(t, dir)
			wantContent(t, filepath.Join(dir, "program"), "text")
			if !Use(dir, program) {
				t.Error("Use() = false after Ensure()")
			}
		})
	}
}
