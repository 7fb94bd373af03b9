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

// subject is an object whose current trace is observed.
type subject struct {
	get func(context.Context) (*unstructured.Unstructured, error)
	// ready returns an error if the object is not ready.
	ready func(*unstructured.Unstructured) error
	// find is findCurrent, and noTrace words its ErrNotFound.
	find    func(context.Context, *unstructured.Unstructured) (trace tracetree.Trace, known bool, err error)
	noTrace func(*unstructured.Unstructured, error) error

	// readySince is when the object was first seen ready; zero if it is not.
	readySince time.Time
}

func (r *Reader) subject(object Object, reader searcher) subject {
	return subject{
		get:   func(ctx context.Context) (*unstructured.Unstructured, error) { return r.get(ctx, object) },
		ready: r.ready,
		find: func(ctx context.Context, live *unstructured.Unstructured) (tracetree.Trace, bool, error) {
			return findCurrent(ctx, reader, live)
		},
		noTrace: r.noTrace,
	}
}

// read reads the object. notReady is the reason why it is not ready.
func (s *subject) read(ctx context.Context) (live *unstructured.Unstructured, notReady, err error) {
	if live, err = s.get(ctx); err != nil {
		return nil, nil, err
	}
	notReady = s.ready(live)
	switch {
	case notReady != nil:
		s.readySince = time.Time{}
	case s.readySince.IsZero():
		s.readySince = time.Now()
	}
	return live, notReady, nil
}

// finder waits until it is known which trace is an object's.
type finder struct {
	subject
	traceID string
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
	live, _, err := f.read(ctx)
	if err != nil {
		return false, err
	}
	trace, known, err := f.find(ctx, live)
	if trace.ID != "" {
		f.traceID = trace.ID
	}
	switch {
	case errors.Is(err, tracetree.ErrNotFound):
		f.last = f.noTrace(live, err)
		if _, _, untraced := tracetree.TraceIDOf(live.GetAnnotations()); untraced != nil && !f.readySince.IsZero() && time.Since(f.readySince) >= untracedWait {
			return false, f.last
		}
	case errors.Is(err, tracetree.ErrUnreachable):
		f.last = err
	case err != nil && ctx.Err() == nil:
		return false, err
	}
	settled := !f.readySince.IsZero() && time.Since(f.readySince) >= tracetree.DefaultQuiet
	return f.traceID != "" && (known || settled), nil
}
