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

// requeueReason is the reason why a reconcile requeues its request.
type requeueReason uint32

const (
	requeueNone requeueReason = iota
	requeueError
	requeueConflict
	requeueAsked
	requeueAfter
)

// String returns the value of the attribute.
func (r requeueReason) String() string {
	return [...]string{"", "error", "conflict", "requeue", "requeue_after"}[r]
}

// reasonFor interprets a reconcile's outcome as controller-runtime does.
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
	case result.Requeue: //nolint:staticcheck // deprecated, but controller-runtime still supports it
		return requeueAsked
	default:
		return requeueNone
	}
}

// trigger is an event that caused a request to be added. The zero value means no event.
type trigger struct {
	text       string // "update ChildA"
	object     objectName
	uid        types.UID
	version    string
	generation int64
	stored     carried // the context in the annotations of the event's object
}

// sameEvent reports whether two triggers were recorded for the same event.
func (t *trigger) sameEvent(other *trigger) bool {
	return t.text == other.text && t.object == other.object && t.uid == other.uid && t.version == other.version &&
		sameSpan(t.stored.sc, other.stored.sc)
}

// change returns the context of the event's cause: this process's write of the version, else of the
// generation, else the annotation.
func (t *trigger) change(known *causality) carried {
	if w, ok := known.version(t.uid, t.version); ok {
		return carried{sc: w.span, start: w.changeStart(), current: true}
	}
	if w, ok := known.generation(t.uid, t.generation); ok {
		return carried{sc: w.span, start: w.changeStart(), current: true}
	}
	return t.stored
}

// attributes appends the attributes of the reconcile's cause.
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

// arrivals are the adds that the queue merged into one request. The zero value means no adds.
type arrivals struct {
	first     time.Time // time of the first add
	ready     time.Time // when the request became ready; zero if unknown
	events    int       // number of adds, without requeues by a reconcile
	announced int       // triggers that were announced before their add
	triggers  []trigger // of the first events
	reason    requeueReason
}

func (a *arrivals) any() bool { return !a.first.IsZero() }

func (a *arrivals) start(now time.Time) {
	if !a.any() {
		a.first = now
	}
}

// readyAt keeps the earliest of several times, as the queues do.
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

// lost reports whether the queue should have returned the request long ago.
func (a *arrivals) lost(now time.Time) bool {
	expected := a.ready
	if expected.IsZero() {
		expected = a.first
	}
	return now.Sub(expected) > maxQueuedAge // true without any add
}

// merge adds other arrivals, ordered by their first add.
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

// run is a request that a worker took. Only next changes afterwards.
type run struct {
	arrivals

	attempt int
	taken   time.Time
	held    time.Duration // how long a delay held it back
	next    atomic.Uint32 // a requeueReason, from the reconcile's end until the request is added again
}

// ends records why the reconcile requeues its request.
func (r *run) ends(reason requeueReason) {
	if r != nil {
		r.next.Store(uint32(reason))
	}
}

// asks returns the recorded reason and resets it.
func (r *run) asks() requeueReason {
	if r == nil {
		return requeueNone
	}
	return requeueReason(r.next.Swap(uint32(requeueNone)))
}

// attributes appends the known attributes of the request.
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

// links returns the relation's links, and links to the causes of the events. It omits contexts in
// the span's own trace: they need no link, and a link to the span's own parent would hide the
// parent in Jaeger.
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
