package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) Dir {
	t.Helper()
	dir, err := Open(filepath.Join(t.TempDir(), "deep", "state"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRecordComesBackAsItWasSaved(t *testing.T) {
	dir := open(t)
	if r, err := dir.Load(); !cmp.Equal(r, Record{}) || err != nil {
		t.Errorf("the first record is %+v, %v", r, err)
	}
	want := Record{
		Format: Format, Name: "a", Cluster: Embedded, File: "/f", Provider: "podman", ContainersConf: "/c", Images: "source", NodeImage: "n", ConfigHash: "h", Creating: true,
		Ports: Ports{1, 2, 3, 4, 5}, OperatorImage: "o", OperatorEnv: []string{"A=1"},
		ComponentPorts: ComponentPorts{1, 2, 3, 4, 5, 6, 7, 8},
	}
	if err := dir.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := dir.Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := dir.Save(Record{}); err != nil {
		t.Fatal(err)
	}
	if r, err := dir.Load(); !cmp.Equal(r, (Record{Format: Format})) || err != nil {
		t.Errorf("the empty record is %+v, %v", r, err)
	}
}

// A record that an older program wrote is of a kind cluster; one of a newer program is left alone.
func TestLoadOfOtherFormats(t *testing.T) {
	dir := open(t)
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(dir.file("state.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"name": "old", "provider": "podman", "ports": {"ui": 1}}`)
	want := Record{Name: "old", Cluster: Kind, Provider: "podman", Ports: Ports{UI: 1}}
	if got, err := dir.Load(); !cmp.Equal(got, want) || err != nil {
		t.Errorf("an old record is %+v, %v", got, err)
	}
	write(`{"format": 99, "name": "new"}`)
	if _, err := dir.Load(); err == nil || !strings.Contains(err.Error(), "newer sandbox") || !strings.Contains(err.Error(), "--name") {
		t.Errorf("a new record: error %v", err)
	}
}

func TestRemedy(t *testing.T) {
	for err, want := range map[error]string{
		syscall.EROFS: "--state-dir", syscall.ENOTDIR: "--state-dir", fs.ErrPermission: "SANDBOX_STATE_DIR", syscall.ENOSPC: "make room", syscall.EIO: "input/output error",
	} {
		wrapped := &fs.PathError{Op: "open", Path: "/x", Err: err}
		got := Remedy(wrapped)
		if !errors.Is(got, err) || !strings.Contains(got.Error(), want) || !strings.Contains(got.Error(), "/x") {
			t.Errorf("Remedy(%v): %v", wrapped, got)
		}
	}
}

func TestLoadOfABrokenFileNamesTheRemedy(t *testing.T) {
	for _, content := range []string{"", "{", `{"ports": 3}`, "[]"} {
		dir := open(t)
		if err := os.WriteFile(dir.file("state.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := dir.Load()
		if err == nil || !strings.Contains(err.Error(), dir.file("state.json")) || !strings.Contains(err.Error(), "remove the file and run `sandbox down`") {
			t.Errorf("%q: error %v", content, err)
		}
	}
}

// Readers beside a writer see one whole record or the other, and a failed Save keeps the old one.
func TestSaveIsAtomic(t *testing.T) {
	dir := open(t)
	long := Record{Name: strings.Repeat("long", 10_000)}
	if err := dir.Save(long); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		for i := range 200 {
			r := long
			if i%2 == 0 {
				r = Record{Name: "short"}
			}
			if err := dir.Save(r); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
			if r, err := dir.Load(); err != nil || r.Name != long.Name && r.Name != "short" {
				t.Fatalf("a reader saw %d bytes, %v", len(r.Name), err)
			}
		}
	}

	if err := os.Mkdir(dir.file("state.json.new"), 0o700); err != nil { // In the way of the next Save.
		t.Fatal(err)
	}
	if err := dir.Save(Record{Name: "new"}); err == nil {
		t.Error("no error")
	}
	if r, err := dir.Load(); err != nil || r.Name != long.Name {
		t.Errorf("a failed Save left %.20q, %v", r.Name, err)
	}
}

func TestLockExcludes(t *testing.T) {
	dir := open(t)
	unlock, err := dir.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*lockRetry)
	defer cancel()
	_, err = dir.Lock(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another sandbox command that holds "+dir.file("lock")) {
		t.Errorf("a second lock: %v", err)
	}

	// Whoever gave up is told by what.
	interrupt := errors.New("interrupt signal received")
	ctx, end := context.WithCancelCause(t.Context())
	end(interrupt)
	if _, err := dir.Lock(ctx); !errors.Is(err, interrupt) {
		t.Errorf("an interrupted lock: %v", err)
	}

	got := make(chan error, 1)
	go func() {
		unlock, err := dir.Lock(t.Context())
		if err == nil {
			unlock()
		}
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatalf("the lock was given twice, %v", err)
	case <-time.After(2 * lockRetry):
	}
	unlock()
	if err := <-got; err != nil {
		t.Errorf("the lock was not given to the one that waited: %v", err)
	}
}

// A down removes the folder with its lock file in it. Whoever waited for that lock must not end with a lock of a file that is
// gone, beside one who made a new file.
func TestLockAfterTheFolderWasRemoved(t *testing.T) {
	dir := open(t)
	unlock, err := dir.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		unlock func()
		err    error
	}
	waiting := make(chan result, 1)
	go func() {
		unlock, err := dir.Lock(t.Context())
		waiting <- result{unlock, err}
	}()
	select {
	case <-waiting:
		t.Fatal("the lock was given twice")
	case <-time.After(2 * lockRetry): // By now the other one has the old file open.
	}
	if _, err := dir.Remove(); err != nil {
		t.Fatal(err)
	}
	unlock()
	got := <-waiting
	if got.err != nil {
		t.Fatal(got.err)
	}
	defer got.unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 3*lockRetry)
	defer cancel()
	if _, err := dir.Lock(ctx); err == nil {
		t.Error("a third command got the lock beside the second")
	}
}

func TestLocksOfTwoSandboxesAreApart(t *testing.T) {
	for range 2 {
		unlock, err := open(t).Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(unlock)
	}
}

func TestOpenNamesAPathThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}

func TestDefaultPaths(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/xdg/state")
	t.Setenv("XDG_CACHE_HOME", "/xdg/cache")
	t.Setenv("HOME", "/home/user")
	if got, err := DefaultPath("name"); got != "/xdg/state/"+Product+"/name" || err != nil {
		t.Errorf("state %s, %v", got, err)
	}
	if got, err := CachePath(); filepath.Base(got) != Product || err != nil {
		t.Errorf("cache %s, %v", got, err)
	}
	t.Setenv("XDG_STATE_HOME", "")
	if got, err := DefaultPath("name"); got != "/home/user/.local/state/"+Product+"/name" || err != nil {
		t.Errorf("state %s, %v", got, err)
	}
	t.Setenv("HOME", "")
	if _, err := DefaultPath("name"); err == nil || !strings.Contains(err.Error(), "set XDG_STATE_HOME") {
		t.Errorf("error without a home: %v", err)
	}
}

func ExamplePorts_SatisfiedBy() {
	used := Ports{UI: 16686, Query: 16685}
	fmt.Println(Ports{}.SatisfiedBy(used))
	fmt.Println(Ports{UI: 16686}.SatisfiedBy(used))
	fmt.Println(Ports{UI: 16686, Query: 9}.SatisfiedBy(used))
	// Output:
	// true
	// true
	// false
}
