package tracetree

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// writtenBefore is the maximum time between the start of a writer's trace and the first span of its
// continuation.
const writtenBefore = 24 * time.Hour

// FindCurrent returns the current trace of an object with its continuations, like [ReadTree]. The
// current trace is the trace in which the current generation is reconciled. FindCurrent tries, in
// this order:
//
//   - the trace in the object's annotation, if it has a span about the current generation. The span
//     of a webhook does not count, because no reconcile follows if the update changed nothing;
//   - the trace of [Continuation];
//   - the trace with the latest reconcile of the current generation, in any service;
//   - without an annotation, the trace with the latest reconcile of the object;
//   - the trace in the annotation.
//
// If another process started the change, the tree starts with the trace of that process. known is
// true if the current trace has a span about the current generation; if not, a later call can find
// another trace. If there is no trace, FindCurrent returns [ErrNotFound] and a trace without spans,
// with the id in the annotation.
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
	origin, err := originOf(ctx, from, current)
	if err != nil {
		return current, known, err
	}
	tree, err = origin.grow(follower(ctx, from))
	return tree, known, err
}

// wanted is the generation of an object to search for. Generation 0 means any.
type wanted struct {
	uid        string
	generation int64
	created    time.Time
}

// tags returns the attributes of spans about the generation.
func (o wanted) tags() map[string]string {
	tags := map[string]string{attributeUID: o.uid}
	if o.generation > 0 {
		tags[attributeGeneration] = strconv.FormatInt(o.generation, 10)
	}
	return tags
}

// annotated reads the trace of the object's annotation. It has no spans if Jaeger has none, and no
// id if there is no annotation.
func (o wanted) annotated(ctx context.Context, from Reader, object metav1.Object) (Trace, error) {
	traceID, _, err := TraceIDOf(object.GetAnnotations())
	if err != nil {
		return Trace{}, nil //nolint:nilerr // Without a context, the caller searches for the object.
	}
	trace, err := from.GetTrace(ctx, traceID)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	trace.ID = traceID
	return trace, err
}

// find reads the trace of the generation and ignores the annotation.
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

// newest returns the id of the trace with the latest reconcile or, if there is none, with the
// latest other span. It returns "" if there are no spans.
func (o wanted) newest(ctx context.Context, from Searcher) (id string, err error) {
	q := Query{Tags: o.tags()}
	if !o.created.IsZero() {
		q.From = o.created.Add(-time.Minute)
	}
	traces, err := searchAll(ctx, from, q)
	var reconciled bool
	var latest time.Time
	for _, found := range traces {
		for _, e := range found.elements {
			start, reconciles := e.span.StartTimestamp().AsTime(), e.isConsumer()
			better := reconciles && !reconciled || reconciles == reconciled && start.After(latest)
			if better && e.reactsTo(o) {
				id, reconciled, latest = found.ID, reconciles, start
			}
		}
	}
	return id, err
}

// originOf returns the trace in which the change started that caused a trace. This is the trace
// itself, unless it continues a write of a generation and Jaeger has the span of that write,
// possibly from another service. Then it is the origin of the trace of that span, through at most
// [MaxTraces]. A span that started more than one second after the trace is not its cause.
func originOf(ctx context.Context, from Searcher, trace Trace) (Trace, error) {
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
		if errors.Is(err, ErrNotFound) { // Jaeger has dropped the trace.
			break
		}
		if err != nil {
			return trace, err
		}
		trace = earlier
	}
	return trace, nil
}

// writtenIn returns the id of the trace that t continues, or "".
func (t Trace) writtenIn(ctx context.Context, from Searcher) (traceID string, err error) {
	o, continues := t.continues()
	if !continues {
		return "", nil
	}
	start := t.start()
	traces, err := searchAll(ctx, from, Query{From: start.Add(-writtenBefore), Tags: o.tags()})
	var first time.Time
	for _, found := range traces {
		for _, w := range writers(found.elements) {
			if w.traceID != t.ID && w.of == o && !w.start.After(start.Add(clockSkew)) && (traceID == "" || w.start.Before(first)) {
				traceID, first = w.traceID, w.start
			}
		}
	}
	return traceID, err
}

// continues returns the generation that the trace continues: the generation whose [Continuation] is
// its id, or which a webhook admitted at its root.
func (t Trace) continues() (o wanted, ok bool) {
	for _, e := range t.elements {
		if o, ok := e.object(); ok && Continuation(o.uid, o.generation) == t.ID {
			return o, true
		}
	}
	return t.admitted()
}

func (t Trace) start() time.Time {
	var first time.Time
	for _, e := range t.elements {
		if start := e.span.StartTimestamp().AsTime(); first.IsZero() || start.Before(first) {
			first = start
		}
	}
	return first
}

// reacts reports whether the trace has a span about the generation that is not a webhook's.
func (t Trace) reacts(o wanted) bool {
	return slices.ContainsFunc(t.elements, func(e element) bool { return e.reactsTo(o) })
}

func (e element) reactsTo(o wanted) bool { return !e.isServer() && e.hasAll(o.tags()) }

// isServer reports whether the span is a webhook call, and isConsumer whether it is a reconcile.
func (e element) isServer() bool   { return e.span.Kind() == ptrace.SpanKindServer }
func (e element) isConsumer() bool { return e.span.Kind() == ptrace.SpanKindConsumer }

// A webhook does not know the span of the write that it admits, because the API server does not
// propagate context. It starts a new trace, which the operator that serves the webhook continues. A
// reader finds that trace by the generation that is reconciled in it.

// follower returns a follow function that reads from Jaeger.
func follower(ctx context.Context, from Reader) follow {
	return func(w writer, reconciled bool) (Trace, error) {
		trace, err := from.GetTrace(ctx, w.continuation)
		searcher, ok := from.(Searcher)
		if !ok || reconciled || !errors.Is(err, ErrNotFound) {
			return trace, err
		}
		found, err := searchAll(ctx, searcher, Query{Operation: "reconcile " + w.kind, From: w.start.Add(-clockSkew), Tags: w.of.tags()})
		if err != nil {
			return Trace{}, err
		}
		return w.admittedIn(found)
	}
}

// archive returns a follow function that reads from the traces of a file.
func archive(traces []Trace) follow {
	byID, byAdmitted := map[string]Trace{}, map[wanted][]Trace{}
	for _, t := range traces {
		byID[t.ID] = t
		if o, ok := t.admitted(); ok {
			byAdmitted[o] = append(byAdmitted[o], t)
		}
	}
	return func(w writer, reconciled bool) (Trace, error) {
		if t, found := byID[w.continuation]; found {
			return t, nil
		}
		if reconciled {
			return Trace{}, ErrNotFound
		}
		return w.admittedIn(byAdmitted[w.of])
	}
}

// admittedIn returns the earliest trace in which a webhook admitted the write, or ErrNotFound.
func (w writer) admittedIn(traces []Trace) (first Trace, err error) {
	for _, t := range traces {
		o, ok := t.admitted()
		start := t.start()
		if ok && o == w.of && t.ID != w.traceID && !start.Before(w.start.Add(-clockSkew)) && (first.Len() == 0 || start.Before(first.start())) {
			first = t
		}
	}
	if first.Len() == 0 {
		return first, ErrNotFound
	}
	return first, nil
}

// admitted returns the generation that a webhook admitted at the root of the trace, which is the
// first generation that is reconciled below the root.
func (t Trace) admitted() (o wanted, ok bool) {
	roots := map[[8]byte]bool{}
	for _, e := range t.elements {
		if e.isServer() && e.span.ParentSpanID().IsEmpty() {
			roots[e.span.SpanID()] = true
		}
	}
	var first time.Time
	for _, e := range t.elements {
		start := e.span.StartTimestamp().AsTime()
		if !e.isConsumer() || !roots[e.span.ParentSpanID()] || ok && !start.Before(first) {
			continue
		}
		if found, known := e.object(); known {
			o, first, ok = found, start, true
		}
	}
	return o, ok
}
