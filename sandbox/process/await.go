package process

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// awaitPoll is how often a process that is waited for is asked, and looked at.
	awaitPoll = 50 * time.Millisecond
	// diedLines is how much of a log a DiedError shows: a panic's trace with the reason above it.
	diedLines = 100
)

// errDied ends the context of a question to a process that does not run any more.
var errDied = errors.New("the process ended")

// Await asks ready every 50 ms until it returns nil while the process called name runs. It returns a [*DiedError] as soon as the
// process is gone, and at once if it does not run; when ctx ends, an error with ctx's and ready's last reason. The context that ready gets
// ends with the process. The process is the one that ran when Await was called: a restart by another command is a death.
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
		// Somebody else may have answered on its port.
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

// watch ends the context when the process does. It returns when the context ends.
func (p *Process) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(awaitPoll)
	defer tick.Stop()
	for {
		// What can't be seen now may be seen next time.
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

// poll asks ready until it returns nil or the context ends.
func (p *Process) poll(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(awaitPoll)
	defer tick.Stop()
	var last error
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // A question cut short says nothing new.
			last = err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for %s, process %d: %w; the last reason: %w", p.Name, p.PID, context.Cause(ctx), last)
		}
	}
}

// died is the error about a process that is gone.
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
