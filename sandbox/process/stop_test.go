package process

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kill ends a process as nobody should, and waits until it is gone.
func kill(t *testing.T, p *Process) {
	t.Helper()
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the killed process is gone", func() bool { return !alive(t, p.PID) })
}

func TestStopLetsAProcessEndByItself(t *testing.T) {
	table := newTable(t)
	want := spec(t, table, "serve")
	want.Grace = time.Minute
	p, _ := ensure(t, table, want)
	if err := table.Stop(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if alive(t, p.PID) {
		t.Error("it still runs")
	}
	if got := table.Tail("one", 1); got != "told to end" {
		t.Errorf("its last words are %q", got)
	}
	if names, err := table.Names(); err != nil || len(names) > 0 {
		t.Errorf("records %q, %v", names, err)
	}
	for _, name := range []string{"one", "never-was"} {
		if err := table.Stop(t.Context(), name); err != nil {
			t.Errorf("stopping %s, which does not run: %v", name, err)
		}
	}
}

func TestStopKillsAfterGrace(t *testing.T) {
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "stubborn"))
	before := time.Now()
	if err := table.Stop(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(before); took < p.Spec.Grace || took > p.Spec.Grace+5*time.Second {
		t.Errorf("it took %s with a grace of %s", took, p.Spec.Grace)
	}
	if alive(t, p.PID) {
		t.Error("it still runs")
	}
}

func TestStopEndsWithItsContextAndCanBeTriedAgain(t *testing.T) {
	table := newTable(t)
	want := spec(t, table, "stubborn")
	want.Grace = time.Minute
	p, _ := ensure(t, table, want)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := table.Stop(ctx, "one")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stopping one, process "+strconv.Itoa(p.PID)) {
		t.Errorf("error %v", err)
	}
	if found := find(t, table); found == nil || found.PID != p.PID {
		t.Fatalf("found %+v", found)
	}
	want.Grace = time.Millisecond
	ensure(t, table, want)
	if err := table.Stop(t.Context(), "one"); err != nil || alive(t, p.PID) {
		t.Errorf("%v, alive %t", err, alive(t, p.PID))
	}
}

// childOf is the pid that the family's leader wrote.
func childOf(t *testing.T, table Table) int {
	t.Helper()
	_, rest, _ := strings.Cut(table.Tail("one", -1), "child ")
	line, _, _ := strings.Cut(rest, "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// startFamily starts a leader with a child that ignores SIGTERM, and waits until both serve.
func startFamily(t *testing.T, table Table) (leader *Process, child int) {
	t.Helper()
	leader, _ = ensure(t, table, spec(t, table, "family"))
	eventually(t, "both serve", func() bool { return strings.Count(table.Tail("one", -1), "serving") == 2 })
	child = childOf(t, table)
	t.Cleanup(func() {
		if s, err := look(child); err == nil && s != nil && s.session == leader.PID {
			_ = syscall.Kill(child, syscall.SIGKILL) // Only where a test failed.
		}
	})
	return leader, child
}

func TestStopEndsTheWholeGroup(t *testing.T) {
	table := newTable(t)
	leader, child := startFamily(t, table)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer self.Release() //nolint:errcheck // It gives a handle back.
	handles := !errors.Is(signalGroup(self, 0), errors.ErrUnsupported)
	if err := table.Stop(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if alive(t, leader.PID) {
		t.Error("the leader still runs")
	}
	if handles {
		eventually(t, "the child that the leader left behind is gone", func() bool { return !alive(t, child) })
	} else if !alive(t, child) {
		t.Error("a group without its leader was signalled by number")
	}
}

// The way of systems without handles is tried on every system.
func TestSignalByNumberReachesTheGroupOfALiveLeaderAlone(t *testing.T) {
	table := newTable(t)
	leader, child := startFamily(t, table)
	stranger := *leader
	stranger.identity.Start++
	if err := stranger.signalNumber(syscall.SIGKILL); err != nil || !alive(t, leader.PID) {
		t.Fatalf("a process with another start was signalled: %v", err)
	}
	if err := leader.signalNumber(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "leader and child are gone", func() bool { return !alive(t, leader.PID) && !alive(t, child) })
	if err := leader.signalNumber(syscall.SIGKILL); err != nil {
		t.Errorf("signalling one that is gone: %v", err)
	}
}

func TestStopOfAProcessThatIsGone(t *testing.T) {
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	kill(t, p)
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	// Its pid is another's now.
	other := launch(t, spec(t, table, "serve"), true)
	p.PID = other.Process.Pid
	if err := p.Stop(t.Context()); err != nil || !alive(t, other.Process.Pid) {
		t.Errorf("%v; alive %t", err, alive(t, other.Process.Pid))
	}
}
