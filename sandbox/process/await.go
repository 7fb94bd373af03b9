package process

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// awaitPoll is the interval between two readiness checks, and between two checks that the
	// process runs.
	awaitPoll = 50 * time.Millisecond
	// diedLines is the number of log lines in a DiedError: enough for a panic with its stack trace.
	diedLines = 100
)

// errDied cancels the context of a readiness check when the process has ended.
var errDied = errors.New("the process ended")

// Await calls ready every 50 ms until it returns nil while the process called name runs. It returns
// a [*DiedError] when the process has ended or if it does not run. When ctx ends, it returns an
// error that wraps the errors of ctx and of the last call of ready. The context of ready is
// cancelled when the process ends. Await waits for the process that ran at the call: if another
// command restarts it, Await returns a DiedError.
func (t Table) Await(ctx context.Context, name string, ready func(context.Context) error) error {
	p, err := t.Find(name)
	if err != nil {
		return err
	}
	if p == nil {
		return t.died(name)
	}
	watched, cancel := context.WithCancelCause(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		p.watch(watched, cancel)
	}()
	err = p.poll(watched, ready)
	cancel(nil)
	<-watching
	if err == nil {
		// Another process may have answered on its port.
		running, err := p.running()
		if err != nil {
			return err
		}
		if !running {
			return t.died(name)
		}
		return nil
	}
	if errors.Is(err, errDied) {
		return t.died(name)
	}
	return err
}

// watch cancels the context when the process ends. It returns when the context ends.
func (p *Process) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(awaitPoll)
	defer tick.Stop()
	for {
		// An error may be temporary: check again at the next tick.
		if running, err := p.running(); err == nil && !running {
			cancel(errDied)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// poll calls ready until it returns nil or the context ends.
func (p *Process) poll(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(awaitPoll)
	defer tick.Stop()
	var last error
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // The error of a cancelled check adds nothing.
			last = err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for %s, process %d: %w; last error: %w", p.Name, p.PID, context.Cause(ctx), last)
		}
	}
}

// died returns the error for a process that does not run.
func (t Table) died(name string) error {
	var start int64
	r, err := t.load(name)
	if err != nil {
		return err
	}
	if r != nil {
		start = r.LogStart
	}
	return &DiedError{Name: name, Tail: tail(t.LogPath(name), start, diedLines)}
}
