package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/operator-tracing/sandbox/sandbox/component"
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

func TestLoadReturnsTheSavedRecord(t *testing.T) {
	dir := open(t)
	if r, err := dir.Load(); !cmp.Equal(r, Record{}) || err != nil {
		t.Errorf("Load of a new folder = %+v, %v; want the zero record", r, err)
	}
	want := Record{
		Format: Format, Name: "a", Cluster: component.Embedded, File: "/f", Provider: "podman", ContainersConf: "/c", Images: "source", NodeImage: "n", ConfigHash: "h", Creating: true,
		Ports: component.Ports{component.UI: 1, component.Thrift: 5}, OperatorImage: "o", OperatorEnv: []string{"A=1"},
		ComponentPorts: component.Ports{component.EtcdPort: 1, component.OperatorHook: 2},
		Target:         Target{Context: "k", Found: map[string]string{component.CertManager: "v1.0.0"}},
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
		t.Errorf("Load of a saved zero record = %+v, %v; want only the format", r, err)
	}
}

// Load treats the record of an older program as a kind cluster, and refuses the record of a newer
// program.
func TestLoadOfOtherFormats(t *testing.T) {
	dir := open(t)
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(dir.file("state.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"name": "old", "provider": "podman", "ports": {"ui": 1}}`)
	want := Record{Name: "old", Cluster: component.Kind, Provider: "podman", Ports: component.Ports{component.UI: 1}}
	if got, err := dir.Load(); !cmp.Equal(got, want) || err != nil {
		t.Errorf("Load of an old record = %+v, %v; want %+v", got, err, want)
	}
	write(`{"format": 1, "name": "old", "cluster": "existing", "componentPorts": {"etcd": 2379, "certManagerHook": 5},
		"target": {"context": "mine", "certManager": "v1.2.3", "jaegerEndpoint": "j:4317"}}`)
	want = Record{
		Format: 1, Name: "old", Cluster: component.Existing, ComponentPorts: component.Ports{component.EtcdPort: 2379, component.CertManagerHook: 5},
		Target: Target{Context: "mine", Found: map[string]string{component.CertManager: "v1.2.3"}, JaegerEndpoint: "j:4317"},
	}
	if got, err := dir.Load(); !cmp.Equal(got, want) || err != nil {
		t.Errorf("Load of a record with older fields: (-want +got):\n%s%v", cmp.Diff(want, got), err)
	}
	write(`{"format": 99, "name": "new"}`)
	if _, err := dir.Load(); err == nil || !strings.Contains(err.Error(), "newer sandbox") || !strings.Contains(err.Error(), "--name") {
		t.Errorf("Load of a newer record = %v, want a refusal with a remedy", err)
	}
}

func TestRemedy(t *testing.T) {
	for err, want := range map[error]string{
		syscall.EROFS: "--state-dir", syscall.ENOTDIR: "--state-dir", fs.ErrPermission: "SANDBOX_STATE_DIR", syscall.ENOSPC: "make room", syscall.EIO: "input/output error",
	} {
		wrapped := &fs.PathError{Op: "open", Path: "/x", Err: err}
		got := Remedy(wrapped)
		if !errors.Is(got, err) || !strings.Contains(got.Error(), want) || !strings.Contains(got.Error(), "/x") {
			t.Errorf("Remedy(%v) = %v, want %q", wrapped, got, want)
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
			t.Errorf("Load of %q = %v, want an error with the file and the remedy", content, err)
		}
	}
}

// Concurrent readers see a complete record, and a failed Save keeps the old record.
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
				t.Fatalf("Load during Save returned a name of %d bytes, %v; want one of the saved records", len(r.Name), err)
			}
		}
	}

	if err := os.Mkdir(dir.file("state.json.new"), 0o700); err != nil { // Makes the next Save fail.
		t.Fatal(err)
	}
	if err := dir.Save(Record{Name: "new"}); err == nil {
		t.Error("Save with a folder in the place of its file = nil, want an error")
	}
	if r, err := dir.Load(); err != nil || r.Name != long.Name {
		t.Errorf("Load after a failed Save = %.20q, %v; want the old record", r.Name, err)
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
		t.Errorf("second Lock = %v, want a deadline error that names the lock file", err)
	}

	// The error wraps the cause of the cancellation.
	interrupt := errors.New("interrupt signal received")
	ctx, interrupted := context.WithCancelCause(t.Context())
	interrupted(interrupt)
	if _, err := dir.Lock(ctx); !errors.Is(err, interrupt) {
		t.Errorf("interrupted Lock = %v, want %v", err, interrupt)
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
		t.Fatalf("second Lock returned %v while the first is held", err)
	case <-time.After(2 * lockRetry):
	}
	unlock()
	if err := <-got; err != nil {
		t.Errorf("waiting Lock after unlock = %v", err)
	}
}

// The holder of the lock is known until it releases the lock.
func TestHolder(t *testing.T) {
	t.Parallel()
	dir := open(t)
	if got := dir.Holder(); got != "" {
		t.Errorf("Holder() without a lock = %q", got)
	}
	for _, command := range []string{"faults run", "up"} {
		unlock, err := dir.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		dir.SetHolder(command)
		if got := dir.Holder(); got != command {
			t.Errorf("Holder() = %q, want %q", got, command)
		}
		unlock()
		if got := dir.Holder(); got != "" {
			t.Errorf("Holder() after unlock = %q", got)
		}
	}
}

// A down removes the folder with the lock file. A command that waits for the lock must not lock the
// deleted file while another command locks a new file.
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
		t.Fatal("second Lock returned while the first is held")
	case <-time.After(2 * lockRetry): // By now the second Lock has opened the old file.
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
		t.Error("third Lock = nil while the second is held, want an error")
	}
}

func TestLocksOfTwoSandboxesAreIndependent(t *testing.T) {
	for range 2 {
		unlock, err := open(t).Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(unlock)
	}
}

func TestOpenOfAFileNamesThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a file = %v, want an error that names it", err)
	}
}

func TestDefaultPaths(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "/xdg/state")
	t.Setenv("XDG_CACHE_HOME", "/xdg/cache")
	t.Setenv("HOME", "/home/user")
	if got, err := DefaultPath("name"); got != "/xdg/state/"+Product+"/name" || err != nil {
		t.Errorf("DefaultPath = %s, %v", got, err)
	}
	if got, err := CachePath(); filepath.Base(got) != Product || err != nil {
		t.Errorf("CachePath = %s, %v", got, err)
	}
	t.Setenv("XDG_STATE_HOME", "")
	if got, err := DefaultPath("name"); got != "/home/user/.local/state/"+Product+"/name" || err != nil {
		t.Errorf("DefaultPath = %s, %v", got, err)
	}
	t.Setenv("HOME", "")
	if _, err := DefaultPath("name"); err == nil || !strings.Contains(err.Error(), "set XDG_STATE_HOME") {
		t.Errorf("DefaultPath without HOME = %v, want the remedy", err)
	}
}
