package tracing

import (
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// requeueReason is why a reconcile asks for another of the same request.
type requeueReason uint32

const (
	requeueNone requeueReason = iota
	requeueError
	requeueConflict
	requeueAsked
	requeueAfter
)

// String gives the value of the attribute.
func (r requeueReason) String() string {
	return [...]string{"", "error", "conflict", "requeue", "requeue_after"}[r]
}

// reasonFor reads a reconcile's outcome as controller-runtime does.
func reasonFor(result reconcile.Result, err error) requeueReason {
	switch {
	case err != nil && isTerminal(err):
		return requeueNone
	case err != nil && benign(err, false) == outcomeConflict:
		return requeueConflict
	case err != nil:
		return requeueError
	case result.RequeueAfter > 0:
		return requeueAfter
	case result.Requeue: //nolint:staticcheck // deprecated, and still heeded by controller-runtime
		return requeueAsked
	default:
		return requeueNone
	}
}

// cause is an event that made a request be added.
type cause struct {
	trigger string            // "update ChildA"
	context trace.SpanContext // that the event's object carries; may be invalid
}

func (c cause) equal(other cause) bool {
	return c.trigger == other.trigger && c.context.Equal(other.context)
}

// arrivals are the adds of a request that became one in the queue. The zero value is none.
type arrivals struct {
	first     time.Time // when the first of them came
	ready     time.Time // when the request could be taken; zero for not known yet
	events    int       // all of them but those that a reconcile asked for
	announced int       // causes whose add is still to come
	trigger   string    // of the first event whose trigger is known
	contexts  []trace.SpanContext
	reason    requeueReason
}

func (a *arrivals) any() bool { return !a.first.IsZero() }

func (a *arrivals) begin(now time.Time) {
	if !a.any() {
		a.first = now
	}
}

// readyAt: of several times the earliest counts, as in the queues.
func (a *arrivals) readyAt(t time.Time) {
	if a.ready.IsZero() || t.Before(a.ready) {
		a.ready = t
	}
}

func (a *arrivals) because(c cause) {
	if a.trigger == "" {
		a.trigger = c.trigger
	}
	a.keep(c.context)
}

func (a *arrivals) keep(sc trace.SpanContext) {
	if sc.IsValid() && len(a.contexts) < maxLinks && !slices.ContainsFunc(a.contexts, func(kept trace.SpanContext) bool { return sameSpan(kept, sc) }) {
		a.contexts = append(a.contexts, sc)
	}
}

// lost reports whether the request should have been taken long ago.
func (a *arrivals) lost(now time.Time) bool {
	expected := a.ready
	if expected.IsZero() {
		expected = a.first
	}
	return now.Sub(expected) > maxQueuedAge // also of none
}

// merge adds later ones, in the order in which they came first.
func (a *arrivals) merge(b arrivals) {
	if !a.any() || b.first.Before(a.first) {
		*a, b = b, *a
	}
	if !b.any() {
		return
	}
	if !b.ready.IsZero() {
		a.readyAt(b.ready)
	}
	if a.trigger == "" {
		a.trigger = b.trigger
	}
	if a.reason == requeueNone {
		a.reason = b.reason
	}
	a.events += b.events
	for _, sc := range b.contexts {
		a.keep(sc)
	}
}

// run is a request that a worker has taken. It does not change any more, but for what the reconcile asks for.
type run struct {
	arrivals

	attempt int
	taken   time.Time
	next    atomic.Uint32 // a requeueReason, from the reconcile's end until the request is added again
}

// ends notes what the reconcile asks for.
func (r *run) ends(reason requeueReason) {
	if r != nil {
		r.next.Store(uint32(reason))
	}
}

// asks gives, once, what the reconcile asked for.
func (r *run) asks() requeueReason {
	if r == nil {
		return requeueNone
	}
	return requeueReason(r.next.Swap(uint32(requeueNone)))
}

// attributes appends what is known. The delay is the one that was effective: an event can end a longer one
// that was asked for.
func (r *run) attributes(out []attribute.KeyValue) []attribute.KeyValue {
	out = append(slices.Grow(out, 6), ReconcileAttemptKey.Int(r.attempt))
	if !r.ready.IsZero() {
		out = append(out, ReconcileQueueWaitKey.Float64(max(0, r.taken.Sub(r.ready)).Seconds()))
		if delay := r.ready.Sub(r.first); delay > 0 {
			out = append(out, ReconcileDelayKey.Float64(delay.Seconds()))
		}
	}
	switch {
	case r.trigger != "":
		out = append(out, ReconcileTriggerKey.String(r.trigger))
	case r.reason != requeueNone:
		out = append(out, ReconcileTriggerKey.String("requeue"))
	}
	if r.events > 1 {
		out = append(out, ReconcileEventsKey.Int(r.events))
	}
	if r.reason != requeueNone {
		out = append(out, ReconcileRequeueReasonKey.String(r.reason.String()))
	}
	return out
}

// links gives the relation's links, and those to the contexts of the events. What is in the trace that the
// span will be in needs no link, and a link to its own parent would hide that in Jaeger.
func (r *run) links(rel relation) []trace.Link {
	links := rel.links
	own := rel.parent.TraceID()
	for _, sc := range r.contexts {
		if len(links) == maxLinks {
			break
		}
		linked := slices.ContainsFunc(links, func(l trace.Link) bool { return sameSpan(l.SpanContext, sc) })
		if !linked && (!own.IsValid() || sc.TraceID() != own) {
			links = append(links, trace.Link{SpanContext: sc})
		}
	}
	return links
}

func sameSpan(a, b trace.SpanContext) bool {
	return a.TraceID() == b.TraceID() && a.SpanID() == b.SpanID()
}
