package process

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Run keeps a process that is ready, and restarts one that is suspended or hangs.
func TestRun(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		suspended, hangs, restarted bool
		patience                    time.Duration
	}{
		"ready":     {patience: time.Minute},
		"hangs":     {patience: 100 * time.Millisecond, hangs: true, restarted: true},
		"suspended": {patience: time.Minute, suspended: true, restarted: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := newTable(t)
			serve := spec(t, table, "serve")
			first, _ := ensure(t, table, serve)
			if test.suspended {
				if err := syscall.Kill(first.PID, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				eventually(t, "Find reports a suspended process", func() bool { return find(t, table).Stopped })
			}
			started, err := table.Run(t.Context(), serve, test.patience, func(context.Context) error {
				if p, err := table.Find("one"); err != nil || p == nil || test.hangs && p.PID == first.PID {
					return errors.New("no answer")
				}
				return nil
			})
			if err != nil || started != test.restarted {
				t.Fatalf("Run = %t, %v; want %t", started, err, test.restarted)
			}
			if p, err := table.Find("one"); err != nil || p == nil || (p.PID != first.PID) != test.restarted {
				t.Errorf("Find = %+v, %v; want a new process: %t", p, err, test.restarted)
			}
		})
	}
}

func TestAwaitReportsAnEarlyExit(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	if err := os.MkdirAll(table.Logs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(table.LogPath("one"), []byte("output of an earlier process\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, started, err := table.Ensure(t.Context(), spec(t, table, "die")); err != nil || !started {
		t.Fatalf("Ensure: started %t, error %v", started, err)
	}
	// On the second pass the process does not run at the start of Await.
	for range 2 {
		err := table.Await(t.Context(), "one", func(context.Context) error { return errors.New("refused") })
		var died *DiedError
		if !errors.As(err, &died) {
			t.Fatalf("Await: got error %v, want a DiedError", err)
		}
		if died.Name != "one" || died.Tail != "first line\nlast line" {
			t.Errorf("got %+v, want the two lines of one", died)
		}
		if !strings.Contains(err.Error(), "one is not running") || !strings.HasSuffix(err.Error(), "\nlast line") {
			t.Errorf("got error %q, want the name and the log", err)
		}
	}
}

func TestAwaitOfAProcessThatNeverStarted(t *testing.T) {
	t.Parallel()
	err := newTable(t).Await(t.Context(), "one", func(context.Context) error { return nil })
	var died *DiedError
	if !errors.As(err, &died) || died.Tail != "" {
		t.Errorf("Await: got error %v", err)
	}
}

// A readiness check may hang for a long time. The end of the process cancels it.
func TestAwaitCancelsAHangingCheckWhenTheProcessEnds(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	err := table.Await(t.Context(), "one", func(ctx context.Context) error {
		kill(t, p)
		<-ctx.Done()
		return ctx.Err()
	})
	var died *DiedError
	if !errors.As(err, &died) || died.Tail != "serving" {
		t.Errorf("Await: got error %v", err)
	}
}

func TestAwaitIgnoresTheAnswerOfAnotherProcess(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	p, _ := ensure(t, table, spec(t, table, "serve"))
	err := table.Await(t.Context(), "one", func(context.Context) error {
		kill(t, p)
		return nil
	})
	var died *DiedError
	if !errors.As(err, &died) {
		t.Errorf("Await: got error %v", err)
	}
}

func TestAwaitReturnsTheLastErrorAtTheDeadline(t *testing.T) {
	table := newTable(t)
	ensure(t, table, spec(t, table, "serve"))
	ctx, cancel := context.WithTimeout(t.Context(), 3*awaitPoll)
	defer cancel()
	refused := errors.New("refused")
	calls := 0
	err := table.Await(ctx, "one", func(ctx context.Context) error {
		if calls++; calls == 1 {
			return refused
		}
		<-ctx.Done() // The deadline cancels the second call.
		return ctx.Err()
	})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, refused) || !strings.Contains(err.Error(), "waiting for one") {
		t.Errorf("Await: got error %v", err)
	}
	if calls != 2 {
		t.Errorf("got %d calls of ready, want 2", calls)
	}
}

func TestAwaitReturnsAsSoonAsReady(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	ensure(t, table, spec(t, table, "serve"))
	calls := 0
	before := time.Now()
	if err := table.Await(t.Context(), "one", func(context.Context) error {
		if calls++; calls < 3 {
			return errors.New("not yet")
		}
		return nil
	}); err != nil || calls != 3 {
		t.Errorf("got %d calls of ready and error %v, want 3 and nil", calls, err)
	}
	if took := time.Since(before); took < awaitPoll {
		t.Errorf("3 calls of ready took %s, want at least %s", took, awaitPoll)
	}
}
