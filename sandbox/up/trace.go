package up

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/selftrace"
)

// traceWait bounds the wait for a trace to be complete once its object is Ready: the operator sends spans after 200 ms.
const traceWait = 30 * time.Second

// settledTrace is the age of its last span and of its object's last write at which a trace needs no quiet second of watching:
// that second, the 200 ms after which the operator sends spans, and the 50 ms after which Jaeger shows them.
const settledTrace = 1500 * time.Millisecond

// sampleTraceLost tells whether the sample exists but can't be shown as a trace: Jaeger, which keeps traces in memory, was
// started anew since.
func (r *Run) sampleTraceLost(ctx context.Context) (bool, error) {
	sample, err := r.Sample()
	if err != nil {
		return false, err
	}
	live, err := r.get(ctx, sample)
	if errors.Is(err, errNoObject) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if r.runs.Annotation != "" && live.GetAnnotations()[r.runs.Annotation] == "" {
		return true, nil // The webhook was down when it was made.
	}
	if !r.Asks() {
		return false, nil
	}
	_, err = r.traceOf(ctx, live)
	if errors.Is(err, jaeger.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// Sample is the object whose trace is shown.
func (r *Run) Sample() (Object, error) {
	subject, err := r.Subject()
	if err != nil {
		return Object{}, err
	}
	return Object{Kind: subject.Kind(), NamespacedName: subject.Sample()}, nil
}

// WaitTrace waits until the current trace of an object is complete and returns it. The error is a *jaeger.IncompleteError
// where the time was over first.
func (r *Run) WaitTrace(ctx context.Context, object Object) (jaeger.Trace, error) {
	ctx, span := selftrace.Tracer(ctx).Start(ctx, "trace", trace.WithAttributes(selftrace.NeedsKey.StringSlice(nil)))
	defer span.End()
	traceID, err := r.waitTraceID(ctx, object)
	if err != nil {
		return jaeger.Trace{}, err
	}
	reader, err := r.reader(ctx)
	if err != nil {
		return jaeger.Trace{}, err
	}
	defer reader.Close()
	return jaeger.WaitComplete(ctx, reader, traceID, jaeger.Conditions{
		Timeout: traceWait, Settled: settledTrace,
		Ready: func(ctx context.Context) (jaeger.Readiness, error) {
			live, err := r.get(ctx, object)
			if err != nil {
				return jaeger.Readiness{}, err
			}
			if err := r.target.Came(live); err != nil {
				return jaeger.Readiness{State: err.Error()}, nil
			}
			return jaeger.Readiness{Ready: true, Since: jaeger.LastWrite(live)}, nil
		},
	})
}

// waitTraceID waits until it is known which trace is an object's: at once where it carries a context, else when Jaeger has a
// span about it.
func (r *Run) waitTraceID(ctx context.Context, object Object) (traceID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, traceWait)
	defer cancel()
	var last error
	err = wait.PollUntilContextCancel(ctx, jaeger.DefaultPoll, true, func(ctx context.Context) (bool, error) {
		live, err := r.get(ctx, object)
		if err != nil {
			return false, err
		}
		if traceID, _, err = jaeger.TraceIDOf(live.GetAnnotations()); err == nil {
			return true, nil
		}
		trace, err := r.search(ctx, live)
		if traceID = trace.ID; errors.Is(err, jaeger.ErrNotFound) {
			last = err
		}
		if err != nil && !errors.Is(err, jaeger.ErrNotFound) && ctx.Err() == nil {
			return false, err
		}
		return err == nil, nil
	})
	if err != nil && last != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "", fmt.Errorf("%w within %s", last, traceWait)
	}
	if err != nil {
		return "", fmt.Errorf("finding the trace of %s: %w", object, err)
	}
	return traceID, nil
}

// Trace returns the current trace of an object as Jaeger has it now.
func (r *Run) Trace(ctx context.Context, object Object) (jaeger.Trace, error) {
	live, err := r.get(ctx, object)
	if err != nil {
		return jaeger.Trace{}, err
	}
	trace, err := r.traceOf(ctx, live)
	switch {
	case errors.Is(err, jaeger.ErrNotFound):
		return trace, fmt.Errorf("%w; the sandbox's Jaeger keeps traces in memory: they are gone when it starts anew", err)
	case errors.Is(err, jaeger.ErrUnreachable):
		return trace, fmt.Errorf("%w; `make sandbox-up` repairs the sandbox", err)
	}
	return trace, err
}

// traceOf reads the trace that an object's annotation names, or finds the latest about it.
func (r *Run) traceOf(ctx context.Context, live *unstructured.Unstructured) (jaeger.Trace, error) {
	if traceID, _, noContext := jaeger.TraceIDOf(live.GetAnnotations()); noContext == nil {
		return r.read(ctx, traceID)
	}
	return r.search(ctx, live)
}

// search finds the latest trace with a span about an object that carries no context: no webhook wrote one when it was made, and
// the first reconcile began its trace.
func (r *Run) search(ctx context.Context, object *unstructured.Unstructured) (jaeger.Trace, error) {
	subject, err := r.Subject()
	if err != nil {
		return jaeger.Trace{}, err
	}
	reader, err := r.reader(ctx)
	if err != nil {
		return jaeger.Trace{}, err
	}
	defer reader.Close()
	found, err := reader.FindTraces(ctx, jaeger.Query{
		Service: subject.ServiceName, Tags: map[string]string{"operator.object.uid": string(object.GetUID())},
		From: object.GetCreationTimestamp().Add(-time.Minute),
	})
	if err != nil {
		return jaeger.Trace{}, err
	}
	if len(found) == 0 {
		name := Object{Kind: object.GroupVersionKind(), NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}}
		return jaeger.Trace{}, fmt.Errorf("finding a trace of %s, which carries no context, in the service %s (docs/adopting.md tells how an operator gets one): %w", name, subject.ServiceName, jaeger.ErrNotFound)
	}
	return slices.MaxFunc(found, func(a, b jaeger.Trace) int { return begin(a).Compare(begin(b)) }), nil
}

// begin is when a trace's first span started.
func begin(trace jaeger.Trace) time.Time {
	var first time.Time
	for _, span := range trace.Spans() {
		if first.IsZero() || span.Start.Before(first) {
			first = span.Start
		}
	}
	return first
}

// read reads a trace once, over HTTP: what Jaeger gives there is whole, so that it can be loaded again.
func (r *Run) read(ctx context.Context, traceID string) (jaeger.Trace, error) {
	reader, err := r.wholeReader(ctx)
	if err != nil {
		return jaeger.Trace{}, err
	}
	defer reader.Close()
	return reader.GetTrace(ctx, traceID)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
