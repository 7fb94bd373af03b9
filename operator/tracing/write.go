package tracing

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Verbs of writes, as the first word of a span's name.
const (
	verbCreate    = "create"
	verbUpdate    = "update"
	verbPatch     = "patch"
	verbApply     = "apply"
	verbDelete    = "delete"
	verbDeleteAll = "delete_all"
)

// write is one write of the operator, while it runs.
type write struct {
	client  *tracedClient
	cfg     *config
	session *session        // nil outside of a reconcile
	outer   context.Context //nolint:containedctx // the caller's
	ctx     context.Context //nolint:containedctx // the span's, for the wrapped client
	span    trace.Span      // nil while it waits
	lazy    lazySpan        // stands for span while it waits
	start   time.Time
	began   time.Time // when the change began that the write is part of
	verb    string
	action  string
	sub     string // the subresource; empty for the object itself
	id      objectID
	name    objectName
	prior   objectFacts // before the write, as far as is known without asking
	read    bool        // the reconcile read the object before
	noted   bool        // causality knows that it is in flight

	target   client.Object     // whose annotations were replaced
	before   map[string]string // they
	finished bool
}

// begin starts a write's span, and with it the reconcile's. The span of a patch or an apply that may well change nothing waits for the
// response: an operator that repeats them in each reconcile would never have one that exports nothing.
func (c *tracedClient) begin(ctx context.Context, verb, sub string, id objectID, sentVersion string) *write {
	if ctx == nil {
		ctx = context.Background()
	}
	w := &write{
		client: c, cfg: c.cfg, session: sessionFrom(ctx), outer: ctx, start: c.cfg.now(),
		verb: verb, action: verb, sub: sub, id: id,
		name: objectName{id.gvk.GroupKind(), types.NamespacedName{Namespace: id.namespace, Name: id.name}},
	}
	if sub != "" {
		w.action = subAction(verb, sub)
	}
	if id.name == "" && id.prefix != "" {
		w.name = generatedName(w.name.kind, id.namespace, id.prefix)
	}
	w.prior = w.priorFacts(sentVersion)
	if w.session == nil {
		c.warnOutside(ctx, w.action, id)
	}
	if repeats := verb == verbPatch || verb == verbApply && w.prior.version != ""; repeats && w.session != nil && !w.session.hasBegun() {
		w.lazy.cfg, w.lazy.owner = c.cfg, waitingWrite{w}
		w.ctx = trace.ContextWithSpan(ctx, &w.lazy)
		return w
	}
	w.startSpan()
	return w
}

// waitingWrite starts the span of a write on demand, as for a child.
type waitingWrite struct{ *write }

// begin implements spanOwner.
func (w waitingWrite) begin() trace.Span {
	w.startSpan()
	return w.span
}

// ensureSpan starts the span if it waits. A write that has ended starts none later.
func (w *write) ensureSpan() {
	if w.span == nil {
		w.lazy.ensure()
		w.lazy.finish()
	}
}

// priorFacts collects what is known of the object before the write: from the caller's object, from the reconcile's own reads, and from
// this process' last write.
func (w *write) priorFacts(sentVersion string) objectFacts {
	if w.verb == verbCreate && w.sub == "" {
		return objectFacts{}
	}
	f := objectFacts{uid: types.UID(w.id.uid), version: sentVersion, generation: w.id.generation}
	if read := w.session.asRead(w.name); read != nil && (f.uid == "" || f.uid == read.uid) {
		f.uid, f.finalizers, w.read = read.uid, read.finalizers, true
		f.generation = max(f.generation, read.generation)
		if f.version == "" {
			f.version = read.version
		}
	}
	if last, ok := w.cfg.causes.latest(f.uid); ok {
		f.generation = max(f.generation, last.generation)
	} else if last, ok := w.cfg.causes.applied(w.name); ok && w.verb == verbApply && f.uid == "" {
		f.generation, f.version = last.generation, versionText(last.version)
	}
	return f
}

// startSpan starts the span, backdated to the write's start.
func (w *write) startSpan() {
	kind := trace.SpanKindClient
	if w.verb == verbCreate && w.sub == "" {
		kind = trace.SpanKindProducer
	}
	w.session.joins(w.outer)
	w.ctx, w.span = w.cfg.tracer().Start(w.outer, w.cfg.names.of(w.action, w.id.gvk.Kind),
		trace.WithTimestamp(w.start), trace.WithSpanKind(kind), trace.WithAttributes(w.id.attributes()...))
	w.began = w.session.changeStart(w.start)
	if w.sub == "" && w.name.name.Name != "" && w.verb != verbDelete && w.verb != verbDeleteAll {
		w.cfg.causes.sends(w.name, w.cause())
		w.noted = true
	}
}

// cause returns the write as the cause of what follows.
func (w *write) cause() cause {
	return cause{span: w.span.SpanContext(), start: w.began.UnixNano(), generation: w.prior.generation}
}

// end notes the outcome. After a success, obj is what the API server returned.
func (w *write) end(obj client.Object, err error) {
	if err != nil || obj == nil {
		w.finish(err)
		return
	}
	after := factsOf(obj)
	if w.replaced(after.uid) {
		w.prior, w.read = objectFacts{}, false
	}
	// The API server answers the removal of the last finalizer of a deleted object with the version before.
	letGo := w.read && !slices.Equal(w.prior.finalizers, after.finalizers)
	unchanged := w.verb != verbCreate && !letGo && (w.knew(after.uid, after.version) || w.repeated(obj, &after))
	if unchanged && w.lazy.owner != nil && w.lazy.started() == nil && !w.session.hasBegun() {
		w.finished = true
		w.lazy.finish()
		w.session.wait(waitingSpan{action: w.action, id: w.id, start: w.start, end: w.cfg.now(), unchanged: true})
		return
	}
	w.ensureSpan()
	if news := w.id.news(identify(w.id.gvk, obj)); len(news) > 0 {
		w.span.SetAttributes(news...)
	}
	raised := false
	if unchanged {
		w.span.SetAttributes(WriteUnchangedKey.Bool(true))
	} else {
		raised = w.changed(obj, &after)
	}
	w.session.intends(w.intent(unchanged, raised, after.generation))
	w.tellStatus(obj, &after, raised)
	if w.session != nil && (w.sub == "" || w.sub == statusResource) {
		w.session.rememberWritten(objectName{w.name.kind, client.ObjectKeyFromObject(obj)}, &after)
	}
	w.done(nil)
}

// replaced reports whether the object is another one than the facts before the write are about: it was deleted and created again, or is
// one of the same name in another cluster.
func (w *write) replaced(uid types.UID) bool {
	if uid == "" || w.prior.uid != "" {
		return uid != "" && uid != w.prior.uid
	}
	_, known := w.cfg.causes.latest(uid)
	return w.verb == verbApply && !known // the facts may be those of the last apply of the name
}

// knew reports whether a version of the object was known before the write, which has then changed nothing.
func (w *write) knew(uid types.UID, version string) bool {
	if version == "" || version == w.prior.version {
		return version != ""
	}
	last, ok := w.cfg.causes.latest(uid)
	return ok && versionText(last.version) == version
}

// repeated reports whether a patch or an apply changed nothing, although others have changed the object since it was read: neither the
// generation rose nor was anything but a subresource written just now, by the managed fields.
func (w *write) repeated(obj client.Object, after *objectFacts) bool {
	if w.sub != "" || w.verb != verbPatch && w.verb != verbApply || w.prior.generation == 0 || after.generation != w.prior.generation {
		return false
	}
	written := mainWritten(obj)
	return !written.IsZero() && written.Before(w.start.Truncate(time.Second).Add(-maxSkew))
}

// changed records a write that changed the object, and reports whether it raised the generation.
func (w *write) changed(obj client.Object, after *objectFacts) bool {
	raised := w.sub == "" && w.raised(obj, after)
	w.cfg.causes.wrote(after, raised, w.cause())
	if w.verb == verbApply && w.sub == "" {
		w.cfg.causes.apply(w.name, after, w.cause())
	}
	if raised && after.generation > 0 && after.uid != "" {
		// Another process, or this one after a restart, goes on in the trace of the generation.
		w.span.AddLink(trace.Link{SpanContext: generationTrace(after.uid, after.generation)})
	}
	if w.sub == "" {
		w.tellFinalizers(after, raised)
	}
	return raised
}

// raised reports whether a write that changed the object raised its generation. If nothing is known of the object before, the time
// in its managed fields decides, which has a resolution of a second.
func (w *write) raised(obj client.Object, after *objectFacts) bool {
	switch {
	case w.verb == verbCreate:
		return true
	case w.prior.generation > 0:
		return after.generation > w.prior.generation
	}
	written := mainWritten(obj)
	return written.IsZero() || !written.Before(w.start.Truncate(time.Second).Add(-maxSkew))
}

// abandoned ends the span of a write that never came back: the wrapped client panicked, or ended its goroutine. The panic goes on.
func (w *write) abandoned() {
	if w.finished {
		return
	}
	w.undo()
	w.ensureSpan()
	w.span.SetAttributes(ErrorTypeKey.String("panic"))
	w.span.SetStatus(codes.Error, "the client did not return")
	w.close()
}

// finish ends a write that failed, or whose response says nothing of the object.
func (w *write) finish(err error) {
	w.ensureSpan()
	w.session.intends(w.intent(false, false, 0))
	w.done(err)
}

func (w *write) done(err error) {
	recordError(w.span, err, w.verb == verbDelete || w.verb == verbDeleteAll)
	w.close()
}

func (w *write) close() {
	w.finished = true
	if w.noted {
		w.cfg.causes.answered(w.name, w.cause())
	}
	w.span.End()
}

// annotate puts the write's context onto the object that is to be created, if that is wanted. The map that the caller holds is not
// changed.
func (w *write) annotate(ctx context.Context, obj client.Object) {
	wanted := w.cfg.createAnnotation || w.session == nil && trace.SpanContextFromContext(ctx).IsValid()
	if !wanted || !w.span.SpanContext().IsValid() {
		return
	}
	w.target, w.before = obj, obj.GetAnnotations()
	out := w.cfg.keys.others(w.before)
	w.cfg.put(w.ctx, out, 0, w.began)
	w.cfg.keys.fit(out, nil)
	obj.SetAnnotations(out)
}

// undo restores the caller's object after a create that failed.
func (w *write) undo() {
	if w.target != nil {
		w.target.SetAnnotations(w.before)
	}
}
