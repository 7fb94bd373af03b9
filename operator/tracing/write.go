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

// write is one write of the operator while it runs.
type write struct {
	client      *tracedClient
	cfg         *config
	session     *session        // nil outside of a reconcile
	outer       context.Context //nolint:containedctx // the caller's context
	ctx         context.Context //nolint:containedctx // the context with the span, for the wrapped client
	span        trace.Span      // nil until it starts
	lazy        *lazySpan       // represents span while it waits; nil for a span that starts at once
	start       time.Time
	changeStart time.Time // start of the write's change
	verb        string
	action      string
	sub         string // the subresource; empty for the object itself
	id          objectID
	name        objectName
	prior       objectFacts // before the write, as far as known without a request
	read        bool        // the reconcile read the object before
	noted       bool        // causality has recorded it as in flight

	target   client.Object     // whose annotations were replaced
	before   map[string]string // these annotations
	finished bool
}

// startWrite starts a write's span, and so the reconcile's span. A patch or an apply that may
// change nothing waits for the response instead. Otherwise an operator that repeats them in each
// reconcile would export a span for every reconcile.
func (c *tracedClient) startWrite(ctx context.Context, verb, sub string, id objectID, sentVersion string) *write {
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
	if repeats := verb == verbPatch || verb == verbApply && w.prior.version != ""; repeats && w.session != nil && !w.session.hasStarted() {
		w.lazy = &lazySpan{cfg: c.cfg, owner: waitingWrite{w}}
		w.ctx = trace.ContextWithSpan(ctx, w.lazy)
		return w
	}
	w.startSpan()
	return w
}

// waitingWrite starts the span of a write on demand, for example for a child.
type waitingWrite struct{ *write }

// newSpan implements spanOwner.
func (w waitingWrite) newSpan() trace.Span {
	w.startSpan()
	return w.span
}

// ensureSpan starts the span if it has not started. After that, lazy cannot start another.
func (w *write) ensureSpan() {
	if w.span == nil {
		w.lazy.ensure()
		w.lazy.finish()
	}
}

// priorFacts collects the known facts about the object before the write: from the caller's object,
// from the reconcile's own reads, and from this process's last write.
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

// startSpan starts the span at the start time of the write.
func (w *write) startSpan() {
	kind := kindClient
	if w.verb == verbCreate && w.sub == "" {
		kind = kindProducer
	}
	w.session.joins(w.outer)
	w.ctx, w.span = w.cfg.tracer().Start(w.outer, w.cfg.names.of(w.action, w.id.gvk.Kind),
		trace.WithTimestamp(w.start), kind, trace.WithAttributes(w.id.attributes()...))
	w.changeStart = w.session.changeStartOr(w.start)
	if w.sub == "" && w.name.name.Name != "" && w.verb != verbDelete && w.verb != verbDeleteAll {
		w.cfg.causes.sends(w.name, w.cause())
		w.noted = true
	}
}

// cause returns the write as a cause of later reconciles.
func (w *write) cause() cause {
	return cause{span: w.span.SpanContext(), start: w.changeStart.UnixNano(), generation: w.prior.generation}
}

// end records the outcome. After a success, obj is the object that the API server returned.
func (w *write) end(obj client.Object, err error) {
	if err != nil || obj == nil {
		w.finish(err)
		return
	}
	after := factsOf(obj)
	if w.replaced(after.uid) {
		w.prior, w.read = objectFacts{}, false
	}
	// When the last finalizer of a deleted object is removed, the API server returns the previous
	// version.
	finalized := w.read && !slices.Equal(w.prior.finalizers, after.finalizers)
	unchanged := w.verb != verbCreate && !finalized && (w.knew(after.uid, after.version) || w.repeated(obj, &after))
	if unchanged && w.lazy != nil && w.lazy.started() == nil && !w.session.hasStarted() {
		w.finished = true
		w.lazy.finish()
		w.session.wait(waitingSpan{action: w.action, id: w.id, start: w.start, end: w.cfg.now(), unchanged: true})
		return
	}
	w.ensureSpan()
	if changed := w.id.changed(identify(w.id.gvk, obj)); len(changed) > 0 {
		w.span.SetAttributes(changed...)
	}
	raised := false
	if unchanged {
		w.span.SetAttributes(WriteUnchangedKey.Bool(true))
	} else {
		raised = w.changed(obj, &after)
		if after.version != w.prior.version { // Not of the removal of the last finalizer, see above.
			w.span.SetAttributes(WriteVersionKey.String(after.version))
		}
	}
	w.session.intends(w.intent(unchanged, raised, after.generation))
	w.recordStatus(obj, &after, raised)
	if w.session != nil && (w.sub == "" || w.sub == statusResource) {
		w.session.rememberWritten(objectName{w.name.kind, client.ObjectKeyFromObject(obj)}, &after)
	}
	w.done(nil)
}

// replaced reports whether the object is not the one whose facts were known before the write: it
// was deleted and created again, or it has the same name in another cluster.
func (w *write) replaced(uid types.UID) bool {
	if uid == "" || w.prior.uid != "" {
		return uid != "" && uid != w.prior.uid
	}
	_, known := w.cfg.causes.latest(uid)
	return w.verb == verbApply && !known // the facts may come from the last apply of the name
}

// knew reports whether the version was known before the write. The write has then changed nothing.
func (w *write) knew(uid types.UID, version string) bool {
	if version == "" || version == w.prior.version {
		return version != ""
	}
	last, ok := w.cfg.causes.latest(uid)
	return ok && versionText(last.version) == version
}

// repeated reports whether a patch or an apply changed nothing, although another writer changed the
// object since the reconcile read it. The generation must not have risen and, by the managed
// fields, the last write other than a subresource's must be older than this one.
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
		// Another process, or this one after a restart, continues in the trace of the generation.
		w.span.AddLink(trace.Link{SpanContext: generationTrace(after.uid, after.generation)})
	}
	if w.sub == "" {
		w.recordFinalizers(after, raised)
	}
	return raised
}

// raised reports whether a write that changed the object raised its generation. If the generation
// before is unknown, the time in the managed fields decides, which has a resolution of one second.
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

// abandoned ends the span of a write that did not return, because the wrapped client panicked or
// called runtime.Goexit. It does not recover the panic.
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

// finish ends a write that failed, or whose response does not contain the object.
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

// annotate adds the write's context to an object to create, if the options require it. It does not
// change the caller's map.
func (w *write) annotate(ctx context.Context, obj client.Object) {
	wanted := w.cfg.createAnnotation || w.session == nil && trace.SpanContextFromContext(ctx).IsValid()
	if !wanted || !w.span.SpanContext().IsValid() {
		return
	}
	w.target, w.before = obj, obj.GetAnnotations()
	out := w.cfg.keys.others(w.before)
	w.cfg.put(w.ctx, out, 0, w.changeStart)
	w.cfg.keys.fit(out, nil)
	obj.SetAnnotations(out)
}

// undo restores the caller's object after a create that failed.
func (w *write) undo() {
	if w.target != nil {
		w.target.SetAnnotations(w.before)
	}
}
