package tracetree

import (
	"context"
	"errors"
	"time"
)

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
