package traces

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// finder waits until it is known which trace is an object's.
type finder struct {
	get func(context.Context) (*unstructured.Unstructured, error)
	// ready returns what the object lacks.
	ready func(*unstructured.Unstructured) error
	// find is [tracetree.FindCurrent], and noTrace words its ErrNotFound.
	find    func(context.Context, *unstructured.Unstructured) (trace tracetree.Trace, known bool, err error)
	noTrace func(*unstructured.Unstructured, error) error

	traceID string
	// readySince is when the object was first seen ready; zero if it is not.
	readySince time.Time
	// last is why there is no trace yet.
	last error
}

// wait returns the trace's id. A trace without a span about the object's present generation is taken only after the object was ready
// for the quiet period: if the server stored an update unchanged, the reconciles are elsewhere. At the end of ctx the last trace is
// returned, if there was one: waiting for that to be complete tells what it lacks.
func (f *finder) wait(ctx context.Context) (traceID string, err error) {
	err = wait.PollUntilContextCancel(ctx, tracetree.DefaultPoll, true, f.look)
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	switch {
	case err == nil, late && f.traceID != "":
		return f.traceID, nil
	case late && f.last != nil:
		return "", fmt.Errorf("%w; no trace within %s", f.last, traceWait)
	}
	return "", err
}

func (f *finder) look(ctx context.Context) (found bool, err error) {
	live, err := f.get(ctx)
	if err != nil {
		return false, err
	}
	switch ready := f.ready(live) == nil; {
	case !ready:
		f.readySince = time.Time{}
	case f.readySince.IsZero():
		f.readySince = time.Now()
	}
	trace, known, err := f.find(ctx, live)
	if trace.ID != "" {
		f.traceID = trace.ID
	}
	switch {
	case errors.Is(err, tracetree.ErrNotFound):
		f.last = f.noTrace(live, err)
	case errors.Is(err, tracetree.ErrUnreachable):
		f.last = err
	case err != nil && ctx.Err() == nil:
		return false, err
	}
	settled := !f.readySince.IsZero() && time.Since(f.readySince) >= tracetree.DefaultQuiet
	return f.traceID != "" && (known || settled), nil
}
