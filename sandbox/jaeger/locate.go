package jaeger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// maxServices is how many services a search for an object or for a writer covers: Jaeger searches one at a time.
	maxServices = 64
	// writtenBefore is how long before the first span of its continuation the trace of a writer may have begun.
	writtenBefore = 24 * time.Hour
)

// Searcher is a [Reader] that can also search. A [Client] is one.
type Searcher interface {
	Reader
	FindTraces(ctx context.Context, q Query) ([]Trace, error)
}

// FindCurrent returns the current trace of an object as [ReadTree] does: the one in which its present generation is reconciled. It is,
// in this order,
//
//   - the trace of the object's annotation, if a span there is about the present generation. The span of a webhook does not count: the
//     server may have stored an update unchanged, and then nothing follows it;
//   - the trace of [Continuation];
//   - the trace with the latest reconcile of the present generation, in any service;
//   - without an annotation, the trace with the latest reconcile of the object;
//   - the trace of the annotation.
//
// If another process began the change, the tree is that of [Origin]. Known reports whether the trace has a span about the present
// generation; if not, a later call may find another trace. The error is [ErrNotFound] if there is no trace. Then the trace has no
// spans, but the id of the annotation.
func FindCurrent(ctx context.Context, from Searcher, object metav1.Object) (tree Trace, known bool, err error) {
	o := wanted{string(object.GetUID()), object.GetGeneration(), object.GetCreationTimestamp().Time}
	annotated, err := o.annotated(ctx, from, object)
	if err != nil {
		return annotated, false, err
	}
	current := annotated
	if known = annotated.reacts(o); !known {
		found, err := o.find(ctx, from, annotated.ID == "")
		switch {
		case err == nil:
			current, known = found, found.reacts(o)
		case !errors.Is(err, ErrNotFound), annotated.Len() == 0:
			return annotated, false, err
		}
	}
	origin, err := Origin(ctx, from, current)
	if err != nil {
		return current, known, err
	}
	tree, err = origin.grow(follower(ctx, from))
	return tree, known, err
}

// wanted is the generation of an object that a search is for. A generation of 0 is any.
type wanted struct {
	uid        string
	generation int64
	created    time.Time
}

// tags are the attributes of spans about the generation.
func (o wanted) tags() map[string]string {
	tags := map[string]string{attributeUID: o.uid}
	if o.generation > 0 {
		tags[attributeGeneration] = strconv.FormatInt(o.generation, 10)
	}
	return tags
}

// annotated reads the trace of the object's annotation. It has no spans if Jaeger has none, and no id if there is no annotation.
func (o wanted) annotated(ctx context.Context, from Reader, object metav1.Object) (Trace, error) {
	traceID, _, err := TraceIDOf(object.GetAnnotations())
	if err != nil {
		return Trace{}, nil //nolint:nilerr // An object without a context is searched for.
	}
	trace, err := from.GetTrace(ctx, traceID)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	trace.ID = traceID
	return trace, err
}

// find reads the trace of the generation, without regard to the annotation.
func (o wanted) find(ctx context.Context, from Searcher, anyGeneration bool) (Trace, error) {
	if o.generation > 0 {
		trace, err := from.GetTrace(ctx, Continuation(o.uid, o.generation))
		if !errors.Is(err, ErrNotFound) {
			return trace, err
		}
	}
	id, err := o.newest(ctx, from)
	if err == nil && id == "" && anyGeneration && o.generation > 0 {
		o.generation = 0
		id, err = o.newest(ctx, from)
	}
	switch {
	case err != nil:
		return Trace{}, err
	case id == "":
		return Trace{}, fmt.Errorf("searching traces of the object with UID %s: %w", o.uid, ErrNotFound)
	}
	return from.GetTrace(ctx, id)
}

// newest returns the id of the trace with the latest reconcile, or else with the latest other span; empty if there is none.
func (o wanted) newest(ctx context.Context, from Searcher) (id string, err error) {
	q := Query{Tags: o.tags()}
	if !o.created.IsZero() {
		q.From = o.created.Add(-time.Minute)
	}
	var reconciled bool
	var latest time.Time
	err = searchAll(ctx, from, q, func(found Trace) {
		for _, e := range found.elements {
			start, reconciles := e.span.StartTimestamp().AsTime(), e.isConsumer()
			better := reconciles && !reconciled || reconciles == reconciled && start.After(latest)
			if better && e.reactsTo(o) {
				id, reconciled, latest = found.ID, reconciles, start
			}
		}
	})
	return id, err
}

// Origin returns the trace in which the change began that a trace reacts to: the trace itself, unless it continues the write of a
// generation of an object and Jaeger has the span of that write, which other services may have sent. Then it is the
// trace of that span, or the origin of that one, and so on, through at most [MaxTraces]. A span that started after the trace by more
// than [ClockSkew] is not its cause.
func Origin(ctx context.Context, from Searcher, trace Trace) (Trace, error) {
	seen := map[string]bool{}
	for range MaxTraces {
		seen[trace.ID] = true
		before, err := trace.writtenIn(ctx, from)
		if err != nil {
			return trace, err
		}
		if before == "" || seen[before] {
			break
		}
		earlier, err := from.GetTrace(ctx, before)
		if errors.Is(err, ErrNotFound) { // Jaeger has dropped it since.
			break
		}
		if err != nil {
			return trace, err
		}
		trace = earlier
	}
	return trace, nil
}

// writtenIn returns the id of the trace that this one continues; empty if there is none.
func (t Trace) writtenIn(ctx context.Context, from Searcher) (traceID string, err error) {
	o, continues := t.continues()
	if !continues {
		return "", nil
	}
	begun := t.begin()
	q := Query{From: begun.Add(-writtenBefore), Tags: o.tags()}
	written := Continuation(o.uid, o.generation)
	var first time.Time
	err = searchAll(ctx, from, q, func(found Trace) {
		for _, w := range writers(found.elements) {
			if w.traceID == t.ID || w.continuation != written || w.start.After(begun.Add(ClockSkew)) || traceID != "" && !w.start.Before(first) {
				continue
			}
			traceID, first = w.traceID, w.start
		}
	})
	return traceID, err
}

// continues returns the generation whose continuation the trace is, or which a webhook admitted at its root.
func (t Trace) continues() (o wanted, ok bool) {
	for _, e := range t.elements {
		if uid, generation, known := e.object(); known && Continuation(uid, generation) == t.ID {
			return wanted{uid: uid, generation: generation}, true
		}
	}
	return t.admitted()
}

// begin returns when the first span started.
func (t Trace) begin() time.Time {
	var first time.Time
	for _, e := range t.elements {
		if start := e.span.StartTimestamp().AsTime(); first.IsZero() || start.Before(first) {
			first = start
		}
	}
	return first
}

// reacts reports whether the trace has a span about the generation, other than a webhook's.
func (t Trace) reacts(o wanted) bool {
	for _, e := range t.elements {
		if e.reactsTo(o) {
			return true
		}
	}
	return false
}

func (e element) reactsTo(o wanted) bool {
	if e.isServer() || !e.has(attributeUID, o.uid) {
		return false
	}
	return o.generation == 0 || e.has(attributeGeneration, strconv.FormatInt(o.generation, 10))
}

// isServer reports whether the span is a webhook's, and isConsumer whether it is a reconcile.
func (e element) isServer() bool   { return e.span.Kind() == ptrace.SpanKindServer }
func (e element) isConsumer() bool { return e.span.Kind() == ptrace.SpanKindConsumer }

// searchAll searches every service and visits the traces that it finds. A search that has more results than its limit is not an error.
func searchAll(ctx context.Context, from Searcher, q Query, visit func(Trace)) error {
	services, err := from.Services(ctx)
	if err != nil {
		return err
	}
	for _, q.Service = range services[:min(maxServices, len(services))] {
		if q.Service == "" {
			continue
		}
		found, err := from.FindTraces(ctx, q)
		if err != nil && !errors.Is(err, ErrTruncated) {
			return err
		}
		for _, trace := range found {
			visit(trace)
		}
	}
	return nil
}
