package jaeger

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
		q := Query{Operation: "reconcile " + w.kind, From: w.start.Add(-ClockSkew), Tags: w.of.tags()}
		var first Trace
		err = searchAll(ctx, searcher, q, func(found Trace) { first = w.earlier(first, found) })
		if err == nil && first.Len() == 0 {
			err = ErrNotFound
		}
		return first, err
	}
}

// archive indexes the traces of a file.
type archive struct {
	byID       map[string]Trace
	byAdmitted map[wanted][]Trace
}

func newArchive(traces []Trace) *archive {
	a := &archive{map[string]Trace{}, map[wanted][]Trace{}}
	for _, t := range traces {
		a.byID[t.ID] = t
		if o, ok := t.admitted(); ok {
			a.byAdmitted[o] = append(a.byAdmitted[o], t)
		}
	}
	return a
}

// follow is a follow function that reads from the archive.
func (a *archive) follow(w writer, reconciled bool) (Trace, error) {
	if t, found := a.byID[w.continuation]; found {
		return t, nil
	}
	if reconciled {
		return Trace{}, ErrNotFound
	}
	return a.admitted(w)
}

func (a *archive) admitted(w writer) (first Trace, err error) {
	for _, t := range a.byAdmitted[w.of] {
		first = w.earlier(first, t)
	}
	if first.Len() == 0 {
		err = ErrNotFound
	}
	return first, err
}

// earlier returns the trace with the earlier start. It ignores other if it is not a trace in which
// a webhook admitted the write.
func (w writer) earlier(first, other Trace) Trace {
	o, ok := other.admitted()
	start := other.start()
	if !ok || o != w.of || other.ID == w.traceID || start.Before(w.start.Add(-ClockSkew)) || first.Len() > 0 && !start.Before(first.start()) {
		return first
	}
	return other
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
		if uid, generation, known := e.object(); known {
			o, first, ok = wanted{uid: uid, generation: generation}, start, true
		}
	}
	return o, ok
}

// noteReconciled adds the generations of reconcile spans.
func noteReconciled(of map[wanted]bool, spans []element) {
	for _, e := range spans {
		if uid, generation, known := e.object(); known && e.isConsumer() {
			of[wanted{uid: uid, generation: generation}] = true
		}
	}
}
