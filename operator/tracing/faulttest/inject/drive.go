package inject

import (
	"cmp"
	"context"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/oracle"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// Step is one step of a run.
type Step struct {
	// Name is unique in a run, for example "apply".
	Name string
	// Do makes, changes or deletes the object.
	Do func(context.Context) error
	// Ready reports whether the step is done. An error counts as not ready, and is reported if the
	// step never becomes ready.
	Ready func(context.Context) (bool, error)
	// Deletes is set if nothing must be left afterwards.
	Deletes bool
}

// DriveOptions configure Drive.
type DriveOptions struct {
	Injector *Injector
	Steps    []Step
	// Snapshot reads the objects, for example with TakeSnapshot.
	Snapshot func(context.Context) (oracle.Snapshot, error)
	// Oracle compares the objects after each step, and lets the step go on until they are equal or
	// Bound has passed. Nil for a clean run.
	Oracle *oracle.Oracle
	// Bound is the time for each step, from its start or from the end of the fault (default 1 min).
	Bound time.Duration
	// Quiet is the time without writes after which the operator counts as at rest (default 10 s).
	Quiet time.Duration
	// Plan is the plan of the Injector, and Watched the resources of the clean recording, or zero.
	Plan    plan.Plan
	Watched []plan.Resource
	// Poll is the interval of the checks (default 20 ms).
	Poll time.Duration
}

// maxSync bounds the time in which an operator opens the watches of a clean run.
const maxSync = 10 * time.Second

// Drive waits until the operator, which the caller has started, watches its resources. It then does
// the steps in their order: it does a step, waits until it is ready and the operator is at rest, and
// compares the objects with the oracle. It stops after a step that is not ready in time, or when ctx
// ends. The caller restarts the operator meanwhile (Injector.Killed).
func Drive(ctx context.Context, o DriveOptions) *oracle.Run {
	o.Bound = cmp.Or(o.Bound, time.Minute)
	o.Quiet = cmp.Or(o.Quiet, 10*time.Second)
	o.Poll = cmp.Or(o.Poll, 20*time.Millisecond)
	d := driver{o, &oracle.Run{Plan: o.Plan}}
	d.drive(ctx)
	d.run.Recording = o.Injector.Recording()
	d.run.Reached = o.Injector.Fired() || o.Plan.Fault.Target() == plan.TargetRun
	return d.run
}

type driver struct {
	DriveOptions

	run *oracle.Run
}

func (d *driver) drive(ctx context.Context) {
	if d.run.Before, d.run.Err = d.Snapshot(ctx); d.run.Err != nil {
		return
	}
	sync := d.Bound
	if len(d.Watched) > 0 {
		sync = min(sync, maxSync)
	}
	d.poll(ctx, time.Now(), sync, func() bool { return d.Injector.Synced(d.Watched) })
	for _, step := range d.Steps {
		phase, ok := d.step(ctx, step)
		d.run.Phases = append(d.run.Phases, phase)
		if !ok || ctx.Err() != nil {
			d.run.Err = cmp.Or(d.run.Err, ctx.Err())
			return
		}
	}
}

// step does one step. It returns false if the next one makes no sense.
func (d *driver) step(ctx context.Context, step Step) (oracle.Phase, bool) {
	phase := oracle.Phase{Step: step.Name, Deletes: step.Deletes}
	d.Injector.Step(step.Name)
	start := time.Now()
	if phase.Err = step.Do(ctx); phase.Err != nil {
		phase.Took = time.Since(start)
		return phase, false
	}
	atRest := d.poll(ctx, start, d.Bound, func() bool {
		ok, err := step.Ready(ctx)
		if ctx.Err() == nil {
			phase.Err = err
		}
		switch {
		case !ok || err != nil:
			phase.Ready, phase.Took = false, 0
			return false
		case !phase.Ready:
			phase.Ready, phase.Took = true, time.Since(start)
		}
		return d.atRest()
	})
	if !phase.Ready {
		phase.Took = time.Since(start)
		return phase, false
	}
	phase.Err = nil
	d.run.Restless = !atRest && d.Injector.Quiet() < d.Quiet
	d.poll(ctx, start, d.settleBound(step), func() bool {
		if phase.Objects, d.run.Err = d.Snapshot(ctx); d.run.Err != nil {
			return true
		}
		return d.settled(step, phase.Objects) && d.atRest()
	})
	return phase, d.run.Err == nil && !d.run.Restless
}

// atRest reports whether the operator runs and has stopped writing.
func (d *driver) atRest() bool {
	return d.Injector.Quiet() >= d.Quiet && (len(d.Watched) == 0 || d.Injector.Synced(d.Watched))
}

// settleBound is the time in which the objects must be as in the clean runs.
func (d *driver) settleBound(step Step) time.Duration {
	if d.Oracle == nil && step.Deletes { // a clean run may leave objects for ever
		return min(d.Bound, maxSync)
	}
	return d.Bound
}

// settled reports whether the objects are as in the clean runs.
func (d *driver) settled(step Step, got oracle.Snapshot) bool {
	switch {
	case d.Oracle != nil:
		return len(d.Oracle.Compare(d.Injector.o.Namespace, step.Name, got)) == 0
	case step.Deletes:
		return len(got) <= len(d.run.Before)
	}
	return true
}

// poll calls done until it returns true. It returns false when bound has passed since start and since
// the last fault, or when ctx ends. It calls done at least once.
func (d *driver) poll(ctx context.Context, start time.Time, bound time.Duration, done func() bool) bool {
	began := time.Now()
	for {
		if done() {
			return true
		}
		deadline := start
		if fault := d.Injector.lastFault(); fault.After(deadline) {
			deadline = fault
		}
		if ctx.Err() != nil || time.Since(deadline) > bound {
			return false
		}
		// A run that takes longer is polled less often.
		wait(ctx, min(max(d.Poll, time.Since(began)/20), 250*time.Millisecond))
	}
}
