package traces

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/poll"
	"github.com/operator-tracing/sandbox/sandbox/selftrace"
)

// traceWait limits the wait for a complete trace after its object is ready. The operator sends spans
// every 200 ms.
const traceWait = 30 * time.Second

// untracedWait limits the wait for a first span of a ready object without a context: its operator may
// have no tracing. The default of OpenTelemetry is to send spans every 5 s.
const untracedWait = 8 * time.Second

// observedWait limits the wait for the observer, which sends spans after half a second.
const observedWait = 5 * time.Second

// lookWait limits the wait for the observer if the trace may be shown without its last spans.
const lookWait = 2 * time.Second

// observedQuiet is the quiet period after the observer has sent the spans of the object's last write.
// Half a second has then passed since that write, in which the operator has sent its spans.
const observedQuiet = 100 * time.Millisecond

// settledTrace is the age of the last span and of the object's last write at which a trace is complete
// without a quiet second: it covers that second, the 200 ms until the operator sends spans, and the
// 50 ms until Jaeger returns them.
const settledTrace = 1500 * time.Millisecond

// SampleLost reports whether the sample exists but its trace no longer does: Jaeger keeps traces in
// memory, and restarted. It returns false if the sample never had a trace.
func (r *Reader) SampleLost(ctx context.Context) (bool, error) {
	subject, err := r.session.Subject()
	if err != nil {
		return false, err
	}
	live, err := r.get(ctx, Object{Kind: subject.Kind(), NamespacedName: subject.Sample()})
	if errors.Is(err, ErrNoObject) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if subject.Annotation != "" && live.GetAnnotations()[subject.Annotation] == "" {
		return true, nil // The webhook was down when it was created.
	}
	if !r.Asks() {
		return false, nil
	}
	trace, err := r.traceOf(ctx, live)
	if err == nil && r.session.Record.TracedSample == string(live.GetUID()) {
		// The observer adds later reactions to a trace that Jaeger lost when it restarted. Its spans had
		// a root when it was complete.
		return !slices.ContainsFunc(trace.Spans(), spantree.Span.IsRoot), nil
	}
	if errors.Is(err, tracetree.ErrNotFound) {
		_, _, untraced := tracetree.TraceIDOf(live.GetAnnotations())
		return untraced == nil || r.session.Record.TracedSample == string(live.GetUID()), nil
	}
	return false, err
}

// Sample is the object whose trace is shown.
func (r *Reader) Sample() (Object, error) {
	subject, err := r.session.Subject()
	if err != nil {
		return Object{}, err
	}
	return Object{Kind: subject.Kind(), NamespacedName: subject.Sample()}, nil
}

// WaitTrace waits until the current trace of the sample is complete, returns it, and records that the sample has one. The error is a
// *tracetree.IncompleteError if the time was over first. The caller holds the lock of the sandbox.
func (r *Reader) WaitTrace(ctx context.Context, object Object) (tracetree.Trace, error) {
	ctx, span := selftrace.Tracer(ctx).Start(ctx, "trace", trace.WithAttributes(selftrace.NeedsKey.StringSlice(nil)))
	defer span.End()
	traceID, err := r.waitTraceID(ctx, object)
	if err != nil {
		return tracetree.Trace{}, err
	}
	reader, err := r.reader(ctx)
	if err != nil {
		return tracetree.Trace{}, err
	}
	defer reader.Close()
	var uid types.UID
	began := time.Now()
	quiet := tracetree.DefaultQuiet
	if r.session.HasObserver() {
		quiet = observedQuiet
	}
	complete, err := tracetree.WaitComplete(ctx, reader, traceID, tracetree.Conditions{
		Timeout: traceWait, Settled: settledTrace, Quiet: quiet,
		Ready: func(ctx context.Context) (tracetree.Readiness, error) {
			live, err := r.get(ctx, object)
			if err != nil {
				return tracetree.Readiness{}, err
			}
			if err := r.ready(live); err != nil {
				return tracetree.Readiness{State: err.Error()}, nil
			}
			if !r.session.IsObserved(live.GetResourceVersion()) && time.Since(began) < observedWait {
				return tracetree.Readiness{State: errUnsent.Error()}, nil
			}
			uid = live.GetUID()
			return tracetree.Readiness{Ready: true, Since: tracetree.LastWrite(live)}, nil
		},
	})
	if err == nil && r.session.Record.TracedSample != string(uid) {
		r.session.Record.TracedSample = string(uid)
		err = r.session.Save()
	}
	return complete, err
}

// TraceWithID returns a trace by its ID, which can lack leading zeros, with the traces that continue
// it. Its object need not exist.
func (r *Reader) TraceWithID(ctx context.Context, id string) (tracetree.Trace, error) {
	reader, err := r.searcher(ctx)
	if err != nil {
		return tracetree.Trace{}, err
	}
	defer reader.Close()
	return tracetree.ReadTree(ctx, reader, id)
}

func (r *Reader) waitTraceID(ctx context.Context, object Object) (traceID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, traceWait)
	defer cancel()
	reader, err := r.searcher(ctx)
	if err != nil {
		return "", err
	}
	defer reader.Close()
	f := finder{subject: r.subject(object, reader)}
	if traceID, err = f.wait(ctx); err != nil {
		return "", fmt.Errorf("finding the trace of %s: %w", object, err)
	}
	return traceID, nil
}

// Trace returns the current trace of an object as Jaeger has it, with the traces that continue it. It
// waits up to 2 s until the observer has sent the spans of the object's last write. If
// Jaeger has none, the trace is reconstructed from the API server's objects; see [Reconstructed].
func (r *Reader) Trace(ctx context.Context, object Object) (tracetree.Trace, error) {
	live, err := r.get(ctx, object)
	if errors.Is(err, ErrNoObject) {
		err = fmt.Errorf("%w%s", err, r.remains(ctx, object))
	}
	if err != nil {
		return tracetree.Trace{}, err
	}
	r.awaitObserver(ctx, live.GetResourceVersion())
	trace, err := r.traceOf(ctx, live)
	switch {
	case errors.Is(err, tracetree.ErrNotFound):
		if found, failed := r.reconstruct(ctx, live); failed != nil {
			return trace, fmt.Errorf("%w; %w", err, failed)
		} else if found.Len() > 0 {
			return found, nil
		}
		return trace, fmt.Errorf("%w; the sandbox's Jaeger keeps traces in memory: they are gone when it restarts", err)
	case errors.Is(err, tracetree.ErrUnreachable):
		return trace, fmt.Errorf("%w; %s repairs the sandbox", err, hint.Run("up"))
	}
	return trace, err
}

// awaitObserver waits until the observer has sent the spans of all writes up to a resourceVersion, and
// then for observedQuiet, because Jaeger returns spans a little later. Without the observer, the wait ends
// after lookWait, and the trace is shown as it is.
func (r *Reader) awaitObserver(ctx context.Context, revision string) {
	sent := r.session.IsObserved(revision)
	if sent {
		return
	}
	_ = poll.Within(ctx, observedQuiet, lookWait, func(context.Context) error {
		if !sent {
			sent = r.session.IsObserved(revision)
			return errUnsent
		}
		return nil
	})
}

var errUnsent = errors.New("the observer has not sent all spans")

// traceOf reads the current trace of an object, see findCurrent.
func (r *Reader) traceOf(ctx context.Context, live *unstructured.Unstructured) (tracetree.Trace, error) {
	reader, err := r.searcher(ctx)
	if err != nil {
		return tracetree.Trace{}, err
	}
	defer reader.Close()
	trace, _, err := findCurrent(ctx, reader, live)
	if errors.Is(err, tracetree.ErrNotFound) {
		err = r.noTrace(live, err)
	}
	return trace, err
}

// noTrace adds a remedy to the error about an object that has no trace: if it carries no context, no webhook wrote one when it was
// created.
func (r *Reader) noTrace(live *unstructured.Unstructured, err error) error {
	if _, _, noContext := tracetree.TraceIDOf(live.GetAnnotations()); noContext == nil {
		return err
	}
	name := Object{Kind: live.GroupVersionKind(), NamespacedName: types.NamespacedName{Namespace: live.GetNamespace(), Name: live.GetName()}}
	return fmt.Errorf("finding a trace of %s, which carries no context (docs/adopting.md tells how an operator gets one): %w", name, err)
}
