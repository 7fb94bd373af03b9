package process

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEnsureStartsOnceAndKeeps(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	want := spec(t, table, "serve")
	before := time.Now()
	p, started := ensure(t, table, want)
	if !started || p.PID == 0 || p.Name != "one" || p.Started.Before(before) || p.Started.After(time.Now()) {
		t.Errorf("Ensure: got started %t, %+v", started, p)
	}
	again, started := ensure(t, table, want)
	if started || again.PID != p.PID {
		t.Errorf("second Ensure: got started %t, process %d, want process %d", started, again.PID, p.PID)
	}
	found := find(t, table)
	if found == nil || found.PID != p.PID || !found.Started.Equal(p.Started) {
		t.Fatalf("Find = %+v, want %+v", found, p)
	}
	if diff := cmp.Diff(want, found.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if names, err := table.Names(); err != nil || !cmp.Equal(names, []string{"one"}) {
		t.Errorf("Names = %q, %v, want one", names, err)
	}
}

func TestEnsureRestartsAfterAChange(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Spec){
		"argument":    func(s *Spec) { s.Args = append(s.Args, "more") },
		"environment": func(s *Spec) { s.Env = append(s.Env, "A=b") },
		"revision":    func(s *Spec) { s.Revision = "new" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := newTable(t)
			want := spec(t, table, "serve")
			old, _ := ensure(t, table, want)
			change(&want)
			p, started := ensure(t, table, want)
			if !started || p.PID == old.PID {
				t.Errorf("Ensure: got started %t, process %d; old process %d", started, p.PID, old.PID)
			}
			if alive(t, old.PID) {
				t.Error("the old process still runs")
			}
			if _, started := ensure(t, table, want); started {
				t.Error("Ensure restarted the process without a change")
			}
		})
	}
}

func TestAChangedGraceOnlyChangesTheRecord(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	want := spec(t, table, "serve")
	old, _ := ensure(t, table, want)
	want.Grace = time.Minute
	if p, started := ensure(t, table, want); started || p.PID != old.PID || p.Spec.Grace != time.Minute {
		t.Errorf("Ensure: got started %t, %+v", started, p)
	}
	if p := find(t, table); p == nil || p.PID != old.PID || p.Spec.Grace != time.Minute {
		t.Errorf("Find = %+v", p)
	}
}

func TestEnsureRestartsADeadProcess(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	want := spec(t, table, "serve")
	old, _ := ensure(t, table, want)
	kill(t, old)
	if p := find(t, table); p != nil {
		t.Errorf("Find = %+v, want nil for a dead process", p)
	}
	eventually(t, "the process was reaped", func() bool {
		s, err := look(old.PID)
		return err == nil && (s == nil || s.identity != old.identity)
	})
	if p, started := ensure(t, table, want); !started || p.PID == old.PID {
		t.Errorf("Ensure: got started %t, process %d; old process %d", started, p.PID, old.PID)
	}
}

// A process is restarted as its record describes, dead or alive.
func TestRestart(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	if err := table.Restart(t.Context(), "one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Restart() without a record = %v, want %v", err, fs.ErrNotExist)
	}
	want := spec(t, table, "serve")
	old, _ := ensure(t, table, want)
	for range 2 {
		if err := table.Restart(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		p := find(t, table)
		if p == nil || p.PID == old.PID || alive(t, old.PID) {
			t.Fatalf("after Restart(), the process is %+v, the old one %d", p, old.PID)
		}
		if diff := cmp.Diff(want, p.Spec); diff != "" {
			t.Errorf("spec (-want +got):\n%s", diff)
		}
		kill(t, p)
		old = p
	}
}

func TestFindReportsASuspendedProcess(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	if p := find(t, table); p == nil || p.Stopped {
		t.Errorf("Find = %+v, want a running process", p)
	}
	if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Find reports a suspended process", func() bool {
		p := find(t, table)
		return p != nil && p.Stopped
	})
	if err := syscall.Kill(p.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Find reports a running process", func() bool {
		p := find(t, table)
		return p != nil && !p.Stopped
	})
}

func TestEnsureReplacesAProcessWithALostRecord(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	want := spec(t, table, "serve")
	old, _ := ensure(t, table, want)
	if err := table.forget("one"); err != nil {
		t.Fatal(err)
	}
	p, started := ensure(t, table, want)
	if !started || alive(t, old.PID) {
		t.Errorf("Ensure: got started %t, process %d; old process %d alive: %t", started, p.PID, old.PID, alive(t, old.PID))
	}
}

func TestTheProcessHasOnlyTheEnvironmentOfItsSpec(t *testing.T) {
	t.Setenv("PROCESS_TEST_OTHER", "unexpected")
	table := newTable(t)
	want := spec(t, table, "report")
	want.Env = append(want.Env, "LAST=a b")
	ensure(t, table, want)
	wanted := "folder " + table.Mark + "\nleads group true session true\nstdin 0 EOF\n" +
		"environment " + roleVariable + "=report\nenvironment LAST=a b\nserving"
	if diff := cmp.Diff(wanted, table.Tail("one", -1)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestANilEnvironmentIsEmpty(t *testing.T) {
	t.Parallel()
	env, err := exec.LookPath("env")
	if err != nil {
		t.Fatal(err)
	}
	table := newTable(t)
	if _, _, err := table.Ensure(t.Context(), Spec{Name: "one", Path: env}); err != nil {
		t.Fatal(err)
	}
	var died *DiedError
	err = table.Await(t.Context(), "one", func(context.Context) error { return errors.New("never") })
	if !errors.As(err, &died) || died.Tail != "" {
		t.Errorf("got error %v, want an exit without output", err)
	}
}

func TestEnsureRejectsAnInvalidSpec(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Spec){
		"no name":         func(s *Spec) { s.Name = "" },
		"upper case":      func(s *Spec) { s.Name = "One" },
		"another folder":  func(s *Spec) { s.Name = "../one" },
		"dot":             func(s *Spec) { s.Name = "a.b" },
		"newline":         func(s *Spec) { s.Name = "one\n" },
		"relative":        func(s *Spec) { s.Path = "bin/true" },
		"bytes":           func(s *Spec) { s.Args = []string{"\xff"} },
		"zero":            func(s *Spec) { s.Args = []string{"a\x00b"} },
		"no variable":     func(s *Spec) { s.Env = append(s.Env, "A") },
		"nameless":        func(s *Spec) { s.Env = append(s.Env, "=a") },
		"missing program": func(s *Spec) { s.Path = "/no/such/program" },
		"folder":          func(s *Spec) { s.Path = "/" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := newTable(t)
			bad := spec(t, table, "serve")
			change(&bad)
			if p, started, err := table.Ensure(t.Context(), bad); err == nil || started || p != nil {
				t.Errorf("Ensure = %+v, %t, %v, want an error", p, started, err)
			}
			if names, err := table.Names(); err != nil || len(names) > 0 {
				t.Errorf("Names = %q, %v, want none", names, err)
			}
		})
	}
}

func TestInvalidNamesAreRejected(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, name := range []string{"", "A", "../x", "a/b", "a.b", "a b", "a\x00"} {
		_, findErr := table.Find(name)
		for what, err := range map[string]error{
			"Find": findErr, "Stop": table.Stop(t.Context(), name),
			"Await":  table.Await(t.Context(), name, func(context.Context) error { return nil }),
			"Follow": table.Follow(t.Context(), &bytes.Buffer{}, name, 1, false),
		} {
			if err == nil || !strings.Contains(err.Error(), "want lower-case letters") {
				t.Errorf("%s(%q): got error %v", what, name, err)
			}
		}
		if got := table.Tail(name, 1); got != "" {
			t.Errorf("Tail(%q) = %q, want nothing", name, got)
		}
	}
}

func TestEnsureWithACancelledContextChangesNothing(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	old, _ := ensure(t, table, spec(t, table, "serve"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	other := spec(t, table, "serve")
	other.Revision = "new"
	if _, started, err := table.Ensure(ctx, other); !errors.Is(err, context.Canceled) || started {
		t.Errorf("Ensure: got started %t, error %v", started, err)
	}
	if p := find(t, table); p == nil || p.PID != old.PID {
		t.Errorf("Find = %+v, want process %d", p, old.PID)
	}
	fresh := newTable(t)
	if _, _, err := fresh.Ensure(ctx, spec(t, fresh, "serve")); !errors.Is(err, context.Canceled) {
		t.Errorf("Ensure: got error %v", err)
	}
	if names, err := fresh.Names(); err != nil || len(names) > 0 {
		t.Errorf("Names = %q, %v, want none", names, err)
	}
}

func TestRecordsAndLogsArePrivate(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	ensure(t, table, spec(t, table, "serve"))
	for path, want := range map[string]os.FileMode{
		table.Records: 0o700, table.Logs: 0o700, table.recordPath("one"): 0o600, table.LogPath("one"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("mode of %s = %v, want %v", filepath.Base(path), info.Mode().Perm(), want)
		}
	}
}
