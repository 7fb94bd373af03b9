package tracing

import (
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
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

// trigger is an event that made a request be added. The zero value is none.
type trigger struct {
	text       string // "update ChildA"
	object     objectName
	uid        types.UID
	version    string
	generation int64
	stored     carried // what the annotations of the event's object say
}

// sameEvent reports whether two triggers are the same event, seen in two places.
func (t *trigger) sameEvent(other *trigger) bool {
	return t.text == other.text && t.object == other.object && t.uid == other.uid && t.version == other.version &&
		sameSpan(t.stored.sc, other.stored.sc)
}

// change returns the context of what caused the event: this process' write of the version, else of the generation, else the
// annotation.
func (t *trigger) change(known *causality) carried {
	if w, ok := known.version(t.uid, t.version); ok {
		return carried{sc: w.span, start: w.changeStart(), current: true}
	}
	if w, ok := known.generation(t.uid, t.generation); ok {
		return carried{sc: w.span, start: w.changeStart(), current: true}
	}
	return t.stored
}

// attributes appends what the cause of the reconcile is.
func (t *trigger) attributes(out []attribute.KeyValue, known *causality) []attribute.KeyValue {
	out = append(out, ReconcileTriggerKey.String(t.text))
	add := func(key attribute.Key, value string) {
		if value != "" {
			out = append(out, key.String(value))
		}
	}
	add(ReconcileCauseKindKey, t.object.kind.Kind)
	add(ReconcileCauseNamespaceKey, t.object.name.Namespace)
	add(ReconcileCauseNameKey, t.object.name.Name)
	add(ReconcileCauseUIDKey, string(t.uid))
	add(ReconcileCauseVersionKey, t.version)
	if w, ok := known.version(t.uid, t.version); ok {
		add(ReconcileCauseSpanKey, w.span.SpanID().String())
		add(ReconcileCauseTraceKey, w.span.TraceID().String())
	}
	return out
}

// arrivals are the adds of a request that became one in the queue. The zero value is none.
type arrivals struct {
	first     time.Time // when the first of them came
	ready     time.Time // when the request could be taken; zero if that is not known yet
	events    int       // all of them except those that a reconcile asked for
	announced int       // triggers whose add is still to come
	triggers  []trigger // the first events that are known
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

func (a *arrivals) because(t trigger) {
	if len(a.triggers) < maxLinks && !slices.ContainsFunc(a.triggers, func(kept trigger) bool { return kept.sameEvent(&t) }) {
		a.triggers = append(a.triggers, t)
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
	if a.reason == requeueNone {
		a.reason = b.reason
	}
	a.events += b.events
	for _, t := range b.triggers {
		a.because(t)
	}
}

// run is a request that a worker has taken. It does not change any more, but for what the reconcile asks for.
type run struct {
	arrivals

	attempt int
	taken   time.Time
	held    time.Duration // by a delay
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

// attributes appends what is known.
func (r *run) attributes(out []attribute.KeyValue, known *causality) []attribute.KeyValue {
	out = append(slices.Grow(out, 12), ReconcileAttemptKey.Int(r.attempt))
	if !r.ready.IsZero() {
		out = append(out, ReconcileQueueWaitKey.Float64(max(0, r.taken.Sub(r.ready)).Seconds()))
		if r.held > 0 {
			out = append(out, ReconcileDelayKey.Float64(r.held.Seconds()))
		}
	}
	switch {
	case len(r.triggers) > 0:
		out = r.triggers[0].attributes(out, known)
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

// links returns the relation's links, and links to what caused the events. A context of the trace that the span will be in needs no link,
// and a link to the span's own parent would hide that in Jaeger.
func (r *run) links(rel relation, known *causality) []trace.Link {
	links := rel.links
	own := rel.parent.TraceID()
	for i := range r.triggers {
		if len(links) == maxLinks {
			break
		}
		sc := r.triggers[i].change(known).sc
		linked := slices.ContainsFunc(links, func(l trace.Link) bool { return sameSpan(l.SpanContext, sc) })
		if sc.IsValid() && !linked && (!own.IsValid() || sc.TraceID() != own) {
			links = append(links, trace.Link{SpanContext: sc})
		}
	}
	return links
}
