package tracing

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"reflect"
	"time"

	"go.opentelemetry.io/otel/trace"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// admissionRun is one request to a webhook, while it runs.
type admissionRun struct {
	cfg    *config
	ctx    context.Context //nolint:containedctx // of the request, for the span's start
	req    admission.Request
	obj    client.Object
	start  time.Time
	dryRun bool
	random trace.SpanContext // for a dry run

	given      map[string]string // the context's keys as the request has them; empty, never nil
	old        map[string]string // the same before an update; nil where it cannot be told
	generation int64             // before the write
	before     client.Object     // the object before an update; nil where it cannot be told
	requested  body              // the object before the inner webhook; nil where all its fields are known
	trusted    bool              // who asks is a trusted writer
	keeps      bool              // the context that a trusted writer gave stays
	relation   relation
	untrusted  []trace.SpanContext
	span       lazySpan
}

func newAdmission(ctx context.Context, cfg *config, req admission.Request, obj client.Object) *admissionRun {
	a := &admissionRun{
		cfg: cfg, ctx: ctx, req: req, obj: obj, start: cfg.now(),
		dryRun: req.DryRun != nil && *req.DryRun,
		given:  cfg.keys.kept(obj.GetAnnotations()),

		trusted: cfg.trusted[req.UserInfo.Username],
	}
	a.span.cfg, a.span.owner = cfg, a
	if a.dryRun {
		a.random = randomUnsampled()
	}
	var last storedContext
	if req.Operation == admissionv1.Update {
		last = a.readOld()
	}
	a.relate(last)
	return a
}

// readOld reads the object as it was. What cannot be read is left as it is: no request is denied for it.
func (a *admissionRun) readOld() storedContext {
	before, ok := readLike(a.obj, a.req.OldObject.Raw)
	if !ok {
		return storedContext{}
	}
	a.before, a.generation = before, before.GetGeneration()
	a.old = a.cfg.keys.kept(before.GetAnnotations())
	if !isUnstructured(a.obj) { // which knows all fields
		if b, err := bodyOf(deepCopy(a.obj)); err == nil {
			a.requested = b.desired()
		}
	}
	last, _ := a.cfg.extractFrom(a.old)
	return last
}

// readLike reads an object of the same type as another.
func readLike(like client.Object, raw []byte) (client.Object, bool) {
	if isUnstructured(like) {
		b, err := parseBody(raw)
		return &unstructured.Unstructured{Object: b}, err == nil && b != nil
	}
	t := reflect.TypeOf(like)
	if t.Kind() != reflect.Pointer {
		return nil, false
	}
	obj, ok := reflect.New(t.Elem()).Interface().(client.Object)
	return obj, ok && json.Unmarshal(raw, obj) == nil
}

func isUnstructured(obj client.Object) bool {
	_, ok := obj.(*unstructured.Unstructured)
	return ok
}

// relate decides where the span belongs, should there be one.
func (a *admissionRun) relate(last storedContext) {
	var outside []trace.SpanContext
	if !maps.Equal(a.given, a.old) {
		given, ok := a.cfg.extract(a.ctx, a.obj, levelAdmission)
		switch {
		case ok && a.trusted:
			a.keeps = true
			a.relation = relation{parent: given.sc}
			return
		case ok:
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

// relateUntrusted makes of untrusted contexts what the option says.
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

// begin starts the span, backdated to the request's arrival.
func (a *admissionRun) begin() trace.Span {
	gvk := schema.GroupVersionKind{Group: a.req.Kind.Group, Version: a.req.Kind.Version, Kind: a.req.Kind.Kind}
	id := identify(gvk, a.obj)
	if id.namespace == "" {
		id.namespace = a.req.Namespace
	}
	if id.name == "" {
		id.name = a.req.Name
	}
	id.generation = 0 // that of the object to be stored is not known yet
	ctx, opts := a.relation.start(withUntrusted(a.ctx, a.untrusted), nil)
	opts = append(opts,
		trace.WithTimestamp(a.start),
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(id.attributes()...),
	)
	_, span := a.cfg.tracer().Start(ctx, "admit "+gvk.Kind, opts...)
	return span
}

// startsTrace reports whether the request, as the inner webhook left it, begins a change.
func (a *admissionRun) startsTrace() bool {
	return !a.keeps && a.changesDesired()
}

// admitsKept reports whether the request begins a change for which a trusted writer gave the context:
// it gets a span within that.
func (a *admissionRun) admitsKept() bool {
	return a.keeps && a.changesDesired()
}

// changesDesired compares everything outside metadata and status. Both sides go through the Go type,
// so that its way to write zero values makes no difference; fields that the type does not know are
// compared as they came.
func (a *admissionRun) changesDesired() bool {
	if a.req.Operation == admissionv1.Create {
		return true
	}
	if a.before == nil {
		return false
	}
	old, errOld := bodyOf(a.before)
	now, errNow := bodyOf(a.obj)
	if errOld != nil || errNow != nil {
		return false
	}
	if !reflect.DeepEqual(now.desired(), old.desired()) {
		return true
	}
	return a.requested != nil && reflect.DeepEqual(a.requested, old.desired()) && a.unknownFieldsDiffer()
}

func (a *admissionRun) unknownFieldsDiffer() bool {
	old, errOld := parseBody(a.req.OldObject.Raw)
	requested, errNew := parseBody(a.req.Object.Raw)
	return errOld == nil && errNew == nil && !reflect.DeepEqual(old.desired(), requested.desired())
}

// randomUnsampled makes a context for an object that will not be stored.
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
