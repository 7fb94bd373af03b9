package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// write is one write of the operator, while it runs.
type write struct {
	cfg      *config
	session  *session
	ctx      context.Context //nolint:containedctx // the span's, for the wrapped client
	span     trace.Span
	start    time.Time
	gvk      schema.GroupVersionKind
	deleting bool
}

// begin starts a write's span, and with it the reconcile's. A context that is replaced, if it is of
// another trace, becomes a link.
func (c *tracedClient) begin(ctx context.Context, action string, gvk schema.GroupVersionKind, id objectID, p plan) *write {
	w := &write{cfg: c.cfg, session: sessionFrom(ctx), gvk: gvk, start: c.cfg.now()}
	opts := []trace.SpanStartOption{
		trace.WithTimestamp(w.start),
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(id.attributes()...),
	}
	if p.inject {
		opts = append(opts, trace.WithSpanKind(trace.SpanKindProducer))
		if p.prior != nil {
			last, ok := c.cfg.extractFrom(p.prior.GetAnnotations())
			if ok && last.sc.TraceID() != trace.SpanContextFromContext(ctx).TraceID() {
				opts = append(opts, trace.WithLinks(trace.Link{SpanContext: last.sc}))
			}
		}
	}
	w.ctx, w.span = c.cfg.tracer().Start(ctx, action+" "+gvk.Kind, opts...)
	return w
}

// values gives the annotations that carry this write's context.
func (w *write) values(p plan) map[string]string {
	return w.cfg.values(w.span.SpanContext(), p.generation, w.start)
}

// setAnnotations changes the annotations of the caller's object for the write and gives back a function
// that undoes it. The map that the caller holds is not touched.
func (w *write) setAnnotations(obj annotated, p plan) (undo func()) {
	values := p.repeat
	if p.inject {
		values = w.values(p)
	}
	if values == nil {
		return func() {}
	}
	before := obj.GetAnnotations()
	obj.SetAnnotations(w.cfg.keys.put(before, values))
	return func() { obj.SetAnnotations(before) }
}

// annotated is what objects and apply configurations have in common here.
type annotated interface {
	GetAnnotations() map[string]string
	SetAnnotations(annotations map[string]string)
}

// end notes the outcome. After a success, obj is what the API server returned: it is remembered, and
// what was not known before the write, as the name that the server made, becomes attributes.
func (w *write) end(obj client.Object, err error) {
	if err == nil && obj != nil {
		w.span.SetAttributes(identify(w.gvk, obj).attributes()...)
		if w.session != nil && !w.deleting {
			w.session.remember(w.gvk, obj)
		}
	}
	w.finish(err)
}

func (w *write) finish(err error) {
	recordError(w.span, err, w.deleting)
	w.span.End()
}
