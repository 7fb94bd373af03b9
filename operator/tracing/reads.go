package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// reading is one read, while it runs. Its zero value, but for the context, is a read without a span.
type reading struct {
	ctx     context.Context //nolint:containedctx // for the wrapped client
	cfg     *config
	span    trace.Span // nil where there is none, or not yet
	session *session   // waits for its span; nil where there is no need to
	action  string
	id      objectID
	start   time.Time
}

// beginRead starts the span of a read where there is something that it belongs to. Where that is a reconcile whose own span
// has not started, the read must not start it.
func (c *tracedClient) beginRead(ctx context.Context, action string, gvk schema.GroupVersionKind, key client.ObjectKey) reading {
	r := reading{ctx: ctx}
	if !c.cfg.reads {
		return r
	}
	r.cfg, r.action, r.start = c.cfg, action, c.cfg.now()
	r.id = objectID{gvk: gvk, namespace: key.Namespace, name: key.Name}
	parent := trace.SpanFromContext(ctx)
	if lazy, ok := parent.(*lazySpan); ok && lazy.started() == nil {
		r.session = sessionFrom(ctx)
		return r
	}
	if parent.SpanContext().IsValid() {
		r.ctx, r.span = r.begin(ctx)
	}
	return r
}

func (r *reading) begin(ctx context.Context) (context.Context, trace.Span) {
	return r.cfg.tracer().Start(ctx, r.cfg.names.of(r.action, r.id.gvk.Kind),
		trace.WithTimestamp(r.start), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(r.id.attributes()...))
}

// end ends the span, or leaves it to the reconcile to make one.
func (r *reading) end(err error) {
	switch {
	case r.span != nil:
		recordError(r.span, err, true)
		r.span.End()
	case r.session != nil:
		r.session.keepRead(readSpan{reading: *r, end: r.cfg.now(), err: err})
	}
}

// readSpan is a read that has ended and waits for the span that it is a child of.
type readSpan struct {
	reading

	end time.Time
	err error
}

// replay makes the span, below that of ctx.
func (r *readSpan) replay(ctx context.Context) {
	_, span := r.begin(ctx)
	recordError(span, r.err, true)
	span.End(trace.WithTimestamp(r.end))
}

// keepRead keeps a read until the reconcile's span starts, if it ever does.
func (s *session) keepRead(r readSpan) {
	s.mu.Lock()
	begun := s.begun
	switch {
	case begun:
	case len(s.readSpans) < maxReadSpans:
		s.readSpans = append(s.readSpans, r)
	default:
		s.readsDropped++
	}
	s.mu.Unlock()
	if begun { // it started during the read
		r.replay(&s.inside)
	}
}

// replayReads makes the spans of the reads so far, below the reconcile's span, which has just started.
func (s *session) replayReads(span trace.Span) {
	s.mu.Lock()
	reads, dropped := s.readSpans, s.readsDropped
	s.begun, s.readSpans = true, nil
	s.mu.Unlock()
	if len(reads) == 0 {
		return
	}
	ctx := trace.ContextWithSpan(s.ctx, span)
	for i := range reads {
		reads[i].replay(ctx)
	}
	if dropped > 0 {
		span.SetAttributes(ReconcileReadsDroppedKey.Int(dropped))
	}
}
