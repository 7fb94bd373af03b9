package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// write is one write of the operator, while it runs.
type write struct {
	client   *tracedClient
	cfg      *config
	session  *session
	plan     plan
	ctx      context.Context //nolint:containedctx // the span's, for the wrapped client
	span     trace.Span
	start    time.Time
	id       objectID
	deleting bool
	before   map[string]string // the caller's annotations, for undo
	changed  bool              // they were replaced
	target   annotated         // whose annotations they are
	finished bool
}

// begin starts a write's span, and with it the reconcile's. A context that is replaced, if it is of
// another trace, becomes a link.
func (c *tracedClient) begin(ctx context.Context, action string, gvk schema.GroupVersionKind, id objectID, p plan) write {
	w := write{client: c, cfg: c.cfg, session: sessionFrom(ctx), start: c.cfg.now(), id: id, plan: p}
	w.session.intends(p.intent)
	if about := p.finalizers.action(); about != "" && p.intent&(intentDesired|intentOther) == 0 {
		action = about
	}
	opts := make([]trace.SpanStartOption, 0, 3)
	opts = append(opts, trace.WithAttributes(p.finalizers.attributes(id.attributes())...))
	if !p.inject {
		opts = append(opts, trace.WithSpanKind(trace.SpanKindClient))
	} else {
		opts = append(opts, trace.WithSpanKind(trace.SpanKindProducer))
		if p.prior != nil {
			last, ok := c.cfg.extractFrom(p.prior.GetAnnotations())
			if ok && last.sc.TraceID() != trace.SpanContextFromContext(ctx).TraceID() {
				opts = append(opts, trace.WithLinks(trace.Link{SpanContext: last.sc}))
			}
		}
	}
	w.ctx, w.span = c.cfg.tracer().Start(ctx, c.cfg.names.of(action, gvk.Kind), opts...)
	return w
}

// values gives the annotations that carry this write's context.
func (w *write) values(p plan) map[string]string {
	return w.cfg.values(w.span.SpanContext(), p.generation, w.start)
}

// setAnnotations changes the annotations of the caller's object for the write. The map that the caller holds is not touched.
func (w *write) setAnnotations(obj annotated, p plan) {
	w.target, w.before = obj, obj.GetAnnotations()
	switch {
	case p.inject && w.span.SpanContext().IsValid():
		out := w.cfg.keys.others(w.before)
		w.cfg.put(w.ctx, out, p.generation, w.start)
		w.cfg.keys.fit(out, p.priorAnnotations())
		obj.SetAnnotations(out)
		w.changed = true
	case p.repeat != nil && !p.inject:
		obj.SetAnnotations(w.cfg.keys.put(w.before, p.repeat))
		w.changed = true
	}
}

// undo takes back what setAnnotations did to the caller's object.
func (w *write) undo(obj annotated) {
	if w.changed {
		obj.SetAnnotations(w.before)
	}
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
		if news := w.id.news(identify(w.id.gvk, obj)); len(news) > 0 {
			w.span.SetAttributes(news...)
		}
		w.saidStatus(obj)
		if w.session != nil && !w.deleting {
			w.session.remember(w.id.gvk, obj)
		}
	}
	w.finish(err)
}

// saidStatus notes what a write of the whole object says in its status, where that was taken: for kinds with the status
// sub-resource the API server leaves the status as it was.
func (w *write) saidStatus(obj client.Object) {
	if w.plan.status == nil || !tellsStatus(w.plan.prior) {
		return
	}
	if sent, after := parseStatus(w.plan.status), readStatus(obj); after.says(sent) {
		w.told(readStatus(w.plan.prior), after, obj, w.plan.prior.GetGeneration())
	}
}

// tellsStatus reports whether an object as it was read says what its status was.
func tellsStatus(obj client.Object) bool { return obj != nil && !isPartial(obj) }

// told records what a write says in the status that the status did not say before.
func (w *write) told(before, after objectStatus, obj client.Object, generationBefore int64) {
	addConditionEvents(w.span, before, after)
	_, was := before.converged(generationBefore)
	_, is := after.converged(obj.GetGeneration())
	if is && (!was || generationBefore != obj.GetGeneration()) {
		w.client.convergence.reached(w.ctx, w.id.gvk, obj)
	}
}

// abandoned ends the span of a write that never came back: the wrapped client panicked, or ended its goroutine. The panic goes
// on, and the caller's object is as it was.
func (w *write) abandoned() {
	if w.finished {
		return
	}
	if w.target != nil {
		w.undo(w.target)
	}
	w.span.SetAttributes(ErrorTypeKey.String("panic"))
	w.span.SetStatus(codes.Error, "the client did not return")
	w.span.End()
}

func (w *write) finish(err error) {
	w.finished = true
	recordError(w.span, err, w.deleting)
	w.span.End()
}
