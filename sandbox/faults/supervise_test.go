package faults

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/inject"
	"github.com/operator-tracing/sandbox/sandbox/process"
)

// fakeOperator is a process that only counts.
type fakeOperator struct {
	mu       sync.Mutex
	running  bool
	starts   int
	log      string
	startErr error
}

func (o *fakeOperator) Start(context.Context, string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.starts++
	o.running = o.startErr == nil
	return o.startErr
}

func (o *fakeOperator) Kill(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running = false
	return nil
}

func (o *fakeOperator) Exited() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running {
		return nil
	}
	return &process.DiedError{Name: "operator", Tail: o.log}
}

func (o *fakeOperator) Log(int) string { return o.log }

func (o *fakeOperator) count() (starts int, running bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.starts, o.running
}

type fakeProxy struct{}

func (fakeProxy) URL() string                                   { return "" }
func (fakeProxy) Use(func(http.RoundTripper) http.RoundTripper) {}

// supervise runs a test with a supervisor that has started its operator.
func supervise(t *testing.T, o *fakeOperator, test func(t *testing.T, s *supervisor)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		injector, err := inject.New(nil, inject.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := &supervisor{operator: o, proxy: fakeProxy{}, injector: injector}
		if err := s.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, s)
	})
}

// wantStarts waits for more than the longest pause, and compares.
func wantStarts(t *testing.T, o *fakeOperator, want int, wantRunning bool) {
	t.Helper()
	<-time.After(2 * maxBackoff)
	if starts, running := o.count(); starts != want || running != wantRunning {
		t.Errorf("%d starts, running %t; want %d and %t", starts, running, want, wantRunning)
	}
}

func TestSupervisorRestartsAfterAKill(t *testing.T) {
	t.Parallel()
	o := &fakeOperator{}
	supervise(t, o, func(t *testing.T, s *supervisor) {
		if err := s.awaitStart(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		s.kill()
		wantStarts(t, o, 2, true)
		if exits := s.stop(); len(exits) > 0 {
			t.Errorf("exits = %q after a kill, want none", exits)
		}
	})
}

func TestSupervisorReportsAnExit(t *testing.T) {
	t.Parallel()
	o := &fakeOperator{log: "panic: no such kind"}
	supervise(t, o, func(t *testing.T, s *supervisor) {
		if err := s.awaitStart(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		_ = o.Kill(t.Context()) // The supervisor did not do it.
		wantStarts(t, o, 2, true)
		exits := s.stop()
		if len(exits) != 1 || exits[0] != "operator exited: panic: no such kind; see `sandbox logs operator`" {
			t.Errorf("exits = %q, want one with the reason", exits)
		}
	})
}

func TestSupervisorPauses(t *testing.T) {
	t.Parallel()
	o := &fakeOperator{}
	supervise(t, o, func(t *testing.T, s *supervisor) {
		if err := s.awaitStart(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		s.pause()
		wantStarts(t, o, 1, false)
		s.resume()
		wantStarts(t, o, 2, true)
		if exits := s.stop(); len(exits) > 0 {
			t.Errorf("exits = %q after a pause, want none", exits)
		}
	})
}

func TestSupervisorReportsAFailedStart(t *testing.T) {
	t.Parallel()
	o := &fakeOperator{startErr: errors.New("no such program")}
	supervise(t, o, func(t *testing.T, s *supervisor) {
		if err := s.awaitStart(t.Context(), time.Minute); !errors.Is(err, o.startErr) {
			t.Errorf("awaitStart = %v, want %v", err, o.startErr)
		}
		s.stop()
	})
}
