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

// kill sends SIGKILL, and waits until the process has ended.
func kill(t *testing.T, p *Process) {
	t.Helper()
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the killed process has ended", func() bool { return !alive(t, p.PID) })
}

func TestStopWaitsForAnOrderlyExit(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	want := spec(t, table, "serve")
	want.Grace = time.Minute
	p, _ := ensure(t, table, want)
	if err := table.Stop(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if alive(t, p.PID) {
		t.Error("the process still runs")
	}
	if got := table.Tail("one", 1); got != "stopping" {
		t.Errorf("last line of the log = %q, want stopping", got)
	}
	if names, err := table.Names(); err != nil || len(names) > 0 {
		t.Errorf("Names = %q, %v, want none", names, err)
	}
	for _, name := range []string{"one", "never-was"} {
		if err := table.Stop(t.Context(), name); err != nil {
			t.Errorf("Stop(%s) of a stopped process: got error %v", name, err)
		}
	}
}

func TestStopKillsAfterGrace(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "stubborn"))
	before := time.Now()
	if err := table.Stop(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(before); took < p.Spec.Grace || took > p.Spec.Grace+5*time.Second {
		t.Errorf("Stop took %s with a grace of %s", took, p.Spec.Grace)
	}
	if alive(t, p.PID) {
		t.Error("the process still runs")
	}
}

func TestStopEndsWithItsContextAndCanBeRetried(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	want := spec(t, table, "stubborn")
	want.Grace = time.Minute
	p, _ := ensure(t, table, want)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := table.Stop(ctx, "one")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stopping one, process "+strconv.Itoa(p.PID)) {
		t.Errorf("Stop: got error %v", err)
	}
	if found := find(t, table); found == nil || found.PID != p.PID {
		t.Fatalf("Find = %+v, want process %d", found, p.PID)
	}
	want.Grace = time.Millisecond
	ensure(t, table, want)
	if err := table.Stop(t.Context(), "one"); err != nil || alive(t, p.PID) {
		t.Errorf("Stop: got error %v, alive %t", err, alive(t, p.PID))
	}
}

// childOf returns the pid that the leader of the family printed.
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

// startFamily starts a leader with a child that ignores SIGTERM, and waits until both are serving.
func startFamily(t *testing.T, table Table) (leader *Process, child int) {
	t.Helper()
	leader, _ = ensure(t, table, spec(t, table, "family"))
	eventually(t, "both are serving", func() bool { return strings.Count(table.Tail("one", -1), "serving") == 2 })
	child = childOf(t, table)
	t.Cleanup(func() {
		if s, err := look(child); err == nil && s != nil && s.session == leader.PID {
			_ = syscall.Kill(child, syscall.SIGKILL) // Only after a failure.
		}
	})
	return leader, child
}

func TestStopEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	leader, child := startFamily(t, table)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer self.Release() //nolint:errcheck // An error has no consequence.
	handles := !errors.Is(signalGroup(self, 0), errors.ErrUnsupported)
	if err := table.Stop(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if alive(t, leader.PID) {
		t.Error("the leader still runs")
	}
	if handles {
		eventually(t, "the child of the stopped leader has ended", func() bool { return !alive(t, child) })
	} else if !alive(t, child) {
		t.Error("Stop signalled a group without its leader by number")
	}
}

// Systems without handles signal by number. The test runs on every system.
func TestSignalByNumberNeedsALiveLeader(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	leader, child := startFamily(t, table)
	stranger := *leader
	stranger.identity.Start++
	if err := stranger.signalNumber(syscall.SIGKILL); err != nil || !alive(t, leader.PID) {
		t.Fatalf("signalNumber of a process with another start: error %v, or the process was killed", err)
	}
	if err := leader.signalNumber(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "leader and child have ended", func() bool { return !alive(t, leader.PID) && !alive(t, child) })
	if err := leader.signalNumber(syscall.SIGKILL); err != nil {
		t.Errorf("signalNumber of a stopped process: got error %v", err)
	}
}

func TestStopOfAProcessThatHasEnded(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	kill(t, p)
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	// Another process now has its pid.
	other := launch(t, spec(t, table, "serve"), true)
	p.PID = other.Process.Pid
	if err := p.Stop(t.Context()); err != nil || !alive(t, other.Process.Pid) {
		t.Errorf("Stop: got error %v, alive %t", err, alive(t, other.Process.Pid))
	}
}
