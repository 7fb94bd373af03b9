package tracing

import (
	"context"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"reflect"
	"time"

	"go.opentelemetry.io/otel/trace"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// admissionRun is one request to a webhook while it runs.
type admissionRun struct {
	cfg    *config
	ctx    context.Context //nolint:containedctx // the request's; needed to start the span
	req    admission.Request
	obj    client.Object
	start  time.Time
	dryRun bool
	random trace.SpanContext // the context in a dry run

	given      map[string]string // tracing annotations in the request; empty, never nil
	old        map[string]string // the same before an update; nil if unknown
	generation int64             // before the write
	before     client.Object     // the object before an update; nil if unknown
	requested  jsonObject        // the spec before the inner webhook; nil if the Go type loses no field
	identity   string            // see seenAs

	own      bool // the user is the operator itself
	trusted  bool // the user is the operator or a trusted writer
	keeps    bool // the context in the request stays
	repeated bool // an earlier webhook of this admission added the context
	relation relation

	untrusted []trace.SpanContext
	span      lazySpan
}

// newAdmission reads a request. It returns nil if the operator itself sent the request without a
// context: the operator's client has a span for the write, so the webhook adds none.
//
// During development an operator can run under the same user name as its users. A create under that
// name counts as a user's if this process is not sending it and it has no traceparent header. An
// update under that name counts as the operator's, because another replica of the operator may have
// sent it.
func newAdmission(ctx context.Context, cfg *config, req admission.Request, obj client.Object) *admissionRun {
	user := req.UserInfo.Username
	named := user != "" && isOwnIdentity(user)
	write, sending := cfg.sendingTo(req, obj)
	header := trace.SpanContextFromContext(ctx)
	own := named && (sending || req.Operation != admissionv1.Create || header.IsValid() && header.IsRemote())
	a := &admissionRun{
		cfg: cfg, ctx: ctx, req: req, obj: obj, start: cfg.now(),
		dryRun: req.DryRun != nil && *req.DryRun,
		given:  cfg.keys.kept(obj.GetAnnotations()),
		own:    own, trusted: named || cfg.trusted[user],
	}
	a.span.cfg, a.span.owner = cfg, a
	if a.dryRun {
		a.random = randomUnsampled()
	}
	var last storedContext
	if req.Operation == admissionv1.Update {
		last = a.readOld()
	}
	a.setIdentity()
	a.relate(last)
	if a.own && sending && !a.relation.parent.IsValid() {
		a.relation.parent = write.span
	}
	if a.own && !a.relation.parent.IsValid() {
		return nil
	}
	return a
}

// sendingTo returns the write that this process is sending for an object.
func (c *config) sendingTo(req admission.Request, obj client.Object) (cause, bool) {
	kind := schema.GroupKind{Group: req.Kind.Group, Kind: req.Kind.Kind}
	if prefix := obj.GetGenerateName(); prefix != "" && req.Operation == admissionv1.Create {
		if w, ok := c.causes.sending(generatedName(kind, req.Namespace, prefix), 0); ok {
			return w, true
		}
	}
	return c.causes.sending(objectName{kind, types.NamespacedName{Namespace: req.Namespace, Name: obj.GetName()}}, 0)
}

// readOld reads the object before the update. If it cannot be read, the request is answered
// unchanged.
func (a *admissionRun) readOld() storedContext {
	before, ok := readLike(a.obj, a.req.OldObject.Raw)
	if !ok {
		return storedContext{}
	}
	a.before, a.generation = before, before.GetGeneration()
	a.old = a.cfg.keys.kept(before.GetAnnotations())
	if !isUnstructured(a.obj) { // an unstructured object keeps all fields
		if o, err := objectOf(deepCopy(a.obj)); err == nil {
			a.requested = o.spec()
		}
	}
	last, _ := a.cfg.extractFrom(a.old)
	return last
}

// relate decides which parent and links the span has if it starts.
func (a *admissionRun) relate(last storedContext) {
	var outside []trace.SpanContext
	if !maps.Equal(a.given, a.old) {
		if given, ok := a.cfg.extract(a.ctx, a.obj, levelAdmission); ok {
			a.repeated = a.addedEarlier(given)
			if a.repeated || a.trusted {
				a.keeps = true
				a.relation.parent = given.sc
				return
			}
			outside = append(outside, given.sc)
		}
	}
	if header := trace.SpanContextFromContext(a.ctx); header.IsValid() && header.IsRemote() {
		if a.trusted {
			a.relation.parent = header
		} else {
			outside = append(outside, header)
		}
	}
	a.relateUntrusted(outside)
	if last.sc.IsValid() && last.sc.TraceID() != a.relation.parent.TraceID() {
		a.relation.links = append(a.relation.links, trace.Link{SpanContext: last.sc})
	}
}

// addedEarlier reports whether an earlier webhook of the same admission added the context. It may
// run in this process, which remembers its contexts, or in another. For another process the origin
// decides: the webhook writes it together with the context, for the generation before the write,
// and a user cannot write it without owning it.
func (a *admissionRun) addedEarlier(given storedContext) bool {
	key := a.cfg.keys.origin
	if !given.hasOrigin || given.origin.generation != a.generation || a.given[key] == a.old[key] {
		return false
	}
	if seen.has(a.seenAs(given.sc), a.start) {
		return true
	}
	sent, known := sentAnnotation(a.obj.GetManagedFields(), key)
	return known && !sent
}

// relateUntrusted applies the option for untrusted contexts.
func (a *admissionRun) relateUntrusted(outside []trace.SpanContext) {
	if len(outside) == 0 || a.cfg.untrusted == UntrustedIgnore {
		return
	}
	a.untrusted = outside
	if a.cfg.untrusted == UntrustedParent {
		a.relation.parent = outside[0]
		outside = outside[1:]
	}
	for _, sc := range outside {
		if sc.TraceID() != a.relation.parent.TraceID() && !a.relation.linksTo(sc) {
			a.relation.links = append(a.relation.links, trace.Link{SpanContext: sc})
		}
	}
}

// newSpan starts the span at the time when the request arrived.
func (a *admissionRun) newSpan() trace.Span {
	gvk := schema.GroupVersionKind{Group: a.req.Kind.Group, Version: a.req.Kind.Version, Kind: a.req.Kind.Kind}
	id := identify(gvk, a.obj)
	if id.namespace == "" {
		id.namespace = a.req.Namespace
	}
	if id.name == "" {
		id.name = a.req.Name
	}
	id.generation = 0 // the API server sets the new generation later
	ctx, opts := a.relation.start(withUntrusted(a.ctx, a.untrusted), nil)
	opts = append(opts,
		trace.WithTimestamp(a.start),
		kindServer,
		trace.WithAttributes(id.attributes()...),
	)
	_, span := a.cfg.tracer().Start(ctx, "admit "+gvk.Kind, opts...)
	return span
}

// changesSpec reports whether the request, as the inner webhook left it, changes any field outside
// metadata and status. Both sides go through the Go type, so that its zero values make no
// difference. Fields that the type does not know are compared as the API server sent them.
func (a *admissionRun) changesSpec() bool {
	if a.req.Operation == admissionv1.Create {
		return true
	}
	if a.before == nil {
		return false
	}
	old, errOld := objectOf(a.before)
	now, errNow := objectOf(a.obj)
	if errOld != nil || errNow != nil {
		return false
	}
	if !reflect.DeepEqual(now.spec(), old.spec()) {
		return true
	}
	return a.requested != nil && reflect.DeepEqual(a.requested, old.spec()) && a.unknownFieldsDiffer()
}

func (a *admissionRun) unknownFieldsDiffer() bool {
	old, errOld := parseObject(a.req.OldObject.Raw)
	requested, errNew := parseObject(a.req.Object.Raw)
	return errOld == nil && errNew == nil && !reflect.DeepEqual(old.spec(), requested.spec())
}

// writesKeys reports whether the request adds or changes a tracing annotation.
func (a *admissionRun) writesKeys() bool {
	for key, value := range a.given {
		if old, ok := a.old[key]; !ok || old != value {
			return true
		}
	}
	return false
}

// randomUnsampled returns a context for an object that will not be stored.
func randomUnsampled() trace.SpanContext {
	var tid trace.TraceID
	var sid trace.SpanID
	for !tid.IsValid() || !sid.IsValid() {
		binary.NativeEndian.PutUint64(tid[:8], rand.Uint64())
		binary.NativeEndian.PutUint64(tid[8:], rand.Uint64())
		binary.NativeEndian.PutUint64(sid[:], rand.Uint64())
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: tid, SpanID: sid})
}
