package process

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
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
		return t.Died(name)
	}
	watched, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		_ = wait.PollUntilContextCancel(watched, awaitPoll, true, func(context.Context) (bool, error) { // It ends with watched.
			// An error may be temporary: check again at the next tick.
			if running, err := p.running(); err == nil && !running {
				cancel(errDied)
			}
			return false, nil
		})
	})
	var last error
	err = wait.PollUntilContextCancel(watched, awaitPoll, true, func(ctx context.Context) (bool, error) {
		err := ready(ctx)
		if last == nil || ctx.Err() == nil { // The error of a cancelled check adds nothing.
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		err = fmt.Errorf("waiting for %s, process %d: %w; last error: %w", p.Name, p.PID, context.Cause(watched), last)
	}
	cancel(nil)
	watching.Wait()
	if errors.Is(err, errDied) {
		return t.Died(name)
	}
	if err != nil {
		return err
	}
	// Another process may have answered on its port.
	if running, err := p.running(); err != nil || running {
		return err
	}
	return t.Died(name)
}

// Run is [Table.Ensure] and [Table.Await]. It restarts a process that was running before and is not
// ready within patience: it hangs.
func (t Table) Run(ctx context.Context, spec Spec, patience time.Duration, ready func(context.Context) error) (started bool, err error) {
	_, started, err = t.Ensure(ctx, spec)
	if err != nil {
		return started, err
	}
	if !started {
		patient, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := t.Await(patient, spec.Name, ready); err == nil || ctx.Err() != nil {
			return false, err
		}
		if err := t.Stop(ctx, spec.Name); err != nil {
			return false, fmt.Errorf("restarting %s: %w", spec.Name, err)
		}
		if _, _, err := t.Ensure(ctx, spec); err != nil {
			return false, fmt.Errorf("restarting %s: %w", spec.Name, err)
		}
	}
	return true, t.Await(ctx, spec.Name, ready)
}

// Died returns a [*DiedError] with the log of the last process called name since its start. The
// caller knows that it does not run. Another error means that its record cannot be read.
func (t Table) Died(name string) error {
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
