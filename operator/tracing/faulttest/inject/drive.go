package inject

import (
	"context"
	"time"
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
	Snapshot func(context.Context) (Snapshot, error)
	// Oracle compares the objects after each step, and lets the step go on until they are equal or
	// Bound has passed. Nil for a clean run.
	Oracle *Oracle
	// Bound is the time for each step (default 1 min).
	Bound time.Duration
	// Quiet is the time without writes after which the operator counts as at rest (default 10 s).
	Quiet time.Duration
	// Plan and Watched are those of the plan and of the clean recording, or zero.
	Plan    Plan
	Watched []Resource
	// Poll is the interval of the checks (default 20 ms).
	Poll time.Duration
}

// Drive waits until the operator, which the caller has started, watches its resources. It then does
// the steps in their order: it does a step, waits until it is ready and the operator is at rest, and
// compares the objects with the oracle. It stops after a step that is not ready in time. The caller
// restarts the operator meanwhile (Injector.Killed).
func Drive(ctx context.Context, o DriveOptions) *Run { panic("TODO") }
