package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reading is one read while it runs. It has no span unless [WithReads] is set.
type reading struct {
	ctx     context.Context //nolint:containedctx // for the wrapped client
	client  *tracedClient
	session *session   // nil outside of a reconcile
	span    trace.Span // nil if there is none, or not yet
	waits   bool       // the span is created when the reconcile's span starts
	action  string
	id      objectID
	start   time.Time // zero if the read is not measured
}

// beginRead starts the span of a read if its context has a parent span. A read does not start the
// span of its reconcile.
func (c *tracedClient) beginRead(ctx context.Context, action string, gvk schema.GroupVersionKind, key client.ObjectKey) reading {
	r := reading{ctx: ctx, client: c, session: sessionFrom(ctx)}
	if !c.cfg.reads && (!c.consistent || r.session == nil) {
		return r
	}
	r.start = c.cfg.now()
	if !c.cfg.reads {
		return r
	}
	r.action, r.id = action, objectID{gvk: gvk, namespace: key.Namespace, name: key.Name}
	parent := trace.SpanFromContext(ctx)
	if lazy, ok := parent.(*lazySpan); ok && lazy.started() == nil {
		r.waits = r.session != nil
		return r
	}
	if parent.SpanContext().IsValid() {
		r.ctx, r.span = c.cfg.tracer().Start(ctx, c.cfg.names.of(action, gvk.Kind),
			trace.WithTimestamp(r.start), kindClient, trace.WithAttributes(r.id.attributes()...))
	}
	return r
}

// end ends the span, or stores it until the span of the reconcile starts.
func (r *reading) end(err error) {
	if r.start.IsZero() {
		return
	}
	now := r.client.cfg.now()
	if wait := now.Sub(r.start); r.client.consistent && r.session != nil && wait >= minWait {
		r.session.readWait.Add(int64(wait))
	}
	switch {
	case r.span != nil:
		recordError(r.span, err, true)
		r.span.End()
	case r.waits:
		r.session.wait(waitingSpan{action: r.action, id: r.id, start: r.start, end: now, err: err})
	}
}

// saw compares the version of a read with the version that this process wrote. An older version is
// not an error of the operator: the cache had not received the write yet.
func (s *session) saw(gvk schema.GroupVersionKind, obj client.Object) {
	latest, ok := s.cfg.causes.latest(obj.GetUID())
	if !ok {
		return
	}
	if n, ok := versionNumber(obj.GetResourceVersion()); ok && n < latest.version {
		id := objectID{gvk: gvk, namespace: obj.GetNamespace(), name: obj.GetName()}
		s.event(waitingEvent{name: eventStaleRead, at: s.cfg.now(), attributes: append(id.attributes(),
			ReadVersionKey.String(obj.GetResourceVersion()), WrittenVersionKey.Int64(int64(latest.version)))})
	}
}

// eventStaleRead is the event of a read that returned an older version than this process wrote.
const eventStaleRead = "stale_read"
