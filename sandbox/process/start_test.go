package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestFirstLookSeesArguments inspects 100 children right after their start. Linux may not show the
// arguments of some of them yet.
func TestFirstLookSeesArguments(t *testing.T) {
	path, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{path, "600"}
	for range 100 {
		child, err := os.StartProcess(path, argv, &os.ProcAttr{Sys: &syscall.SysProcAttr{Setsid: true}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := firstLook(child.Pid)
		abort(child)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.argv, argv) || !s.live() {
			t.Fatalf("firstLook: got %+v, want a live process with its arguments", s)
		}
	}
}

// The starter is another process that has ended before the check. It inherited a pipe, which its
// child must not keep open.
func TestAProcessOutlivesItsStarter(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	task, err := json.Marshal(map[string]any{"Table": table, "Spec": spec(t, table, "serve")})
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	starter := exec.CommandContext(t.Context(), program(t))
	starter.Env = []string{roleVariable + "=starter"}
	starter.Stdin = bytes.NewReader(task)
	starter.ExtraFiles = []*os.File{write}
	if out, err := starter.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if err := read.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := read.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the pipe of the starter is still open: %d, %v", n, err)
	}
	awaitServing(t, table, "one")
	p := find(t, table)
	if p == nil {
		t.Fatal("Find: got nil")
	}
	if q, started := ensure(t, table, p.Spec); started || q.PID != p.PID {
		t.Errorf("Ensure: got started %t, process %d, want process %d", started, q.PID, p.PID)
	}
	if err := table.Stop(t.Context(), "one"); err != nil || alive(t, p.PID) {
		t.Errorf("Stop: got error %v, alive %t", err, alive(t, p.PID))
	}
}

func BenchmarkFind(b *testing.B) {
	path, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	folder := b.TempDir()
	table := Table{Records: filepath.Join(folder, "run"), Logs: filepath.Join(folder, "logs")}
	role := Spec{Name: "one", Path: path, Args: []string{folder}, Env: []string{roleVariable + "=serve"}}
	if _, _, err := table.Ensure(b.Context(), role); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := table.Stop(b.Context(), "one"); err != nil {
			b.Error(err)
		}
	}()
	b.Run("by pid", func(b *testing.B) {
		for b.Loop() {
			if p, err := table.Find("one"); p == nil || err != nil {
				b.Fatal(p, err)
			}
		}
	})
	b.Run("by arguments", func(b *testing.B) {
		for b.Loop() {
			if p, err := search(record{Spec: role}); p == nil || err != nil {
				b.Fatal(p, err)
			}
		}
	})
}
