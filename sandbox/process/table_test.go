package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	table := newTable(t)
	want := spec(t, table, "serve")
	before := time.Now()
	p, started := ensure(t, table, want)
	if !started || p.PID == 0 || p.Name != "one" || p.Started.Before(before) || p.Started.After(time.Now()) {
		t.Errorf("started %t: %+v", started, p)
	}
	again, started := ensure(t, table, want)
	if started || again.PID != p.PID {
		t.Errorf("the second time: started %t, process %d, before %d", started, again.PID, p.PID)
	}
	found := find(t, table)
	if found == nil || found.PID != p.PID || !found.Started.Equal(p.Started) {
		t.Fatalf("found %+v, want %+v", found, p)
	}
	if diff := cmp.Diff(want, found.Spec); diff != "" {
		t.Errorf("its spec (-want +got):\n%s", diff)
	}
	if names, err := table.Names(); err != nil || !cmp.Equal(names, []string{"one"}) {
		t.Errorf("names %q, %v", names, err)
	}
}

func TestEnsureStartsAnewWhatChanged(t *testing.T) {
	for name, change := range map[string]func(*Spec){
		"argument":    func(s *Spec) { s.Args = append(s.Args, "more") },
		"environment": func(s *Spec) { s.Env = append(s.Env, "A=b") },
		"revision":    func(s *Spec) { s.Revision = "new" },
	} {
		t.Run(name, func(t *testing.T) {
			table := newTable(t)
			want := spec(t, table, "serve")
			old, _ := ensure(t, table, want)
			change(&want)
			p, started := ensure(t, table, want)
			if !started || p.PID == old.PID {
				t.Errorf("started %t, process %d, before %d", started, p.PID, old.PID)
			}
			if alive(t, old.PID) {
				t.Error("the old one still runs")
			}
			if _, started := ensure(t, table, want); started {
				t.Error("it was started again though nothing changed")
			}
		})
	}
}

func TestAChangedGraceIsWrittenDownAlone(t *testing.T) {
	table := newTable(t)
	want := spec(t, table, "serve")
	old, _ := ensure(t, table, want)
	want.Grace = time.Minute
	if p, started := ensure(t, table, want); started || p.PID != old.PID || p.Spec.Grace != time.Minute {
		t.Errorf("started %t: %+v", started, p)
	}
	if p := find(t, table); p == nil || p.PID != old.PID || p.Spec.Grace != time.Minute {
		t.Errorf("found %+v", p)
	}
}

func TestEnsureBringsBackWhatDied(t *testing.T) {
	table := newTable(t)
	want := spec(t, table, "serve")
	old, _ := ensure(t, table, want)
	kill(t, old)
	if p := find(t, table); p != nil {
		t.Errorf("a dead process was found: %+v", p)
	}
	eventually(t, "its starter reaped it", func() bool {
		s, err := look(old.PID)
		return err == nil && (s == nil || s.identity != old.identity)
	})
	if p, started := ensure(t, table, want); !started || p.PID == old.PID {
		t.Errorf("started %t, process %d, before %d", started, p.PID, old.PID)
	}
}

func TestFindSeesThatAProcessWasStopped(t *testing.T) {
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	if p := find(t, table); p == nil || p.Stopped {
		t.Errorf("a running process is found as %+v", p)
	}
	if err := syscall.Kill(p.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is seen as stopped", func() bool {
		p := find(t, table)
		return p != nil && p.Stopped
	})
	if err := syscall.Kill(p.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is seen as running", func() bool {
		p := find(t, table)
		return p != nil && !p.Stopped
	})
}

func TestEnsureDoesNotStartASecondWhereTheRecordWasLost(t *testing.T) {
	table := newTable(t)
	want := spec(t, table, "serve")
	old, _ := ensure(t, table, want)
	if err := table.forget("one"); err != nil {
		t.Fatal(err)
	}
	p, started := ensure(t, table, want)
	if !started || alive(t, old.PID) {
		t.Errorf("started %t, process %d; of the old one, %d: alive %t", started, p.PID, old.PID, alive(t, old.PID))
	}
}

func TestTheProcessGetsWhatItsSpecSaysAndNothingElse(t *testing.T) {
	t.Setenv("PROCESS_TEST_OTHER", "not for others")
	table := newTable(t)
	want := spec(t, table, "report")
	want.Env = append(want.Env, "LAST=a b")
	ensure(t, table, want)
	wanted := "folder " + table.Mark + "\nleads group true session true\nstdin 0 EOF\n" +
		"environment " + roleVariable + "=report\nenvironment LAST=a b\nserving"
	if diff := cmp.Diff(wanted, table.Tail("one", -1)); diff != "" {
		t.Errorf("it said (-want +got):\n%s", diff)
	}
}

func TestNoEnvironmentIsAnEmptyOne(t *testing.T) {
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
		t.Errorf("it printed its environment, or did not end: %v", err)
	}
}

// The starter is another process, which has ended when the test looks. It was given the end of a pipe, which must not live on.
func TestAProcessOutlivesItsStarter(t *testing.T) {
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
		t.Errorf("the starter's pipe is still open: %d, %v", n, err)
	}
	awaitServing(t, table, "one")
	p := find(t, table)
	if p == nil {
		t.Fatal("it was not found")
	}
	if q, started := ensure(t, table, p.Spec); started || q.PID != p.PID {
		t.Errorf("started %t, process %d instead of %d", started, q.PID, p.PID)
	}
	if err := table.Stop(t.Context(), "one"); err != nil || alive(t, p.PID) {
		t.Errorf("stopping it: %v, alive %t", err, alive(t, p.PID))
	}
}

func TestEnsureRefusesWhatCouldNotBeRecognised(t *testing.T) {
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
			table := newTable(t)
			bad := spec(t, table, "serve")
			change(&bad)
			if p, started, err := table.Ensure(t.Context(), bad); err == nil || started || p != nil {
				t.Errorf("started %t %+v, error %v", started, p, err)
			}
			if names, err := table.Names(); err != nil || len(names) > 0 {
				t.Errorf("it left records: %q, %v", names, err)
			}
		})
	}
}

func TestBadNamesAreRefusedEverywhere(t *testing.T) {
	table := newTable(t)
	for _, name := range []string{"", "A", "../x", "a/b", "a.b", "a b", "a\x00"} {
		_, findErr := table.Find(name)
		for what, err := range map[string]error{
			"Find": findErr, "Stop": table.Stop(t.Context(), name),
			"Await":  table.Await(t.Context(), name, func(context.Context) error { return nil }),
			"Follow": table.Follow(t.Context(), &bytes.Buffer{}, name, 1, false),
		} {
			if err == nil || !strings.Contains(err.Error(), "must be lower-case letters") {
				t.Errorf("%s(%q): %v", what, name, err)
			}
		}
		if got := table.Tail(name, 1); got != "" {
			t.Errorf("Tail(%q) is %q", name, got)
		}
	}
}

func TestEnsureWithAnEndedContextChangesNothing(t *testing.T) {
	table := newTable(t)
	old, _ := ensure(t, table, spec(t, table, "serve"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	other := spec(t, table, "serve")
	other.Revision = "new"
	if _, started, err := table.Ensure(ctx, other); !errors.Is(err, context.Canceled) || started {
		t.Errorf("started %t, %v", started, err)
	}
	if p := find(t, table); p == nil || p.PID != old.PID {
		t.Errorf("now runs %+v", p)
	}
	fresh := newTable(t)
	if _, _, err := fresh.Ensure(ctx, spec(t, fresh, "serve")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if names, err := fresh.Names(); err != nil || len(names) > 0 {
		t.Errorf("records %q, %v", names, err)
	}
}

func TestRecordsAndLogsAreTheUsersAlone(t *testing.T) {
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
			t.Errorf("%s: %v, want %v", filepath.Base(path), info.Mode().Perm(), want)
		}
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
