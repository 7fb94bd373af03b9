package tracing

import (
	"context"
	"reflect"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
)

// maxReads bounds how many objects a reconcile remembers as it read them.
const maxReads = 64

type sessionKey struct{}

// session is one reconcile: what it read so far, and the span that starts when it does something. The
// wrapped reconciler puts it into the context, the wrapped client finds it there. It is safe for
// concurrent use.
type session struct {
	cfg   *config
	typ   reflect.Type // of the reconciled object
	key   types.NamespacedName
	start time.Time
	ctx   context.Context //nolint:containedctx // the span's start context, until the span starts
	span  *lazySpan

	mu       sync.Mutex
	gvk      schema.GroupVersionKind
	object   client.Object // the reconciled object as first read; nil before, or where it does not exist
	relation *relation     // nil until it is known
	reads    map[readKey]client.Object
}

// readKey names an object regardless of the version and the Go type that it was read as.
type readKey struct {
	kind schema.GroupKind
	name types.NamespacedName
}

// newSession starts a reconcile and gives the context to run it with.
func newSession(ctx context.Context, cfg *config, typ reflect.Type, gvk schema.GroupVersionKind, key types.NamespacedName) (*session, context.Context) {
	s := &session{cfg: cfg, typ: typ, gvk: gvk, key: key, start: cfg.now(), ctx: ctx}
	s.span = &lazySpan{begin: s.begin, provider: cfg.tracerProvider}
	ctx = context.WithValue(ctx, sessionKey{}, s)
	return s, withLogger(trace.ContextWithSpan(ctx, s.span))
}

func sessionFrom(ctx context.Context) *session {
	s, _ := ctx.Value(sessionKey{}).(*session)
	return s
}

// begin starts the span of the reconcile, backdated to the reconcile's start.
func (s *session) begin() trace.Span {
	s.mu.Lock()
	rel, _ := s.relate()
	id := objectID{gvk: s.gvk, namespace: s.key.Namespace, name: s.key.Name}
	if s.object != nil {
		id = identify(s.gvk, s.object)
	}
	s.mu.Unlock()

	attributes := id.attributes()
	if rid := controller.ReconcileIDFromContext(s.ctx); rid != "" {
		attributes = append(attributes, ReconcileIDKey.String(string(rid)))
	}
	ctx, opts := rel.start(s.ctx)
	opts = append(opts,
		trace.WithTimestamp(s.start),
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attributes...),
	)
	_, span := s.cfg.tracer().Start(ctx, "reconcile "+id.gvk.Kind, opts...)
	return span
}

// relate decides the relation as soon as the object is known; before, it is a new root for now.
// The caller holds the lock.
func (s *session) relate() (relation, bool) {
	if s.relation == nil {
		if s.object == nil {
			return relation{}, false
		}
		r := s.cfg.relate(s.ctx, s.object, s.start)
		s.relation = &r
	}
	return *s.relation, true
}

// expectedIDs is what a log line can say before the span starts.
func (s *session) expectedIDs() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	rel, ok := s.relate()
	if !ok || !rel.isChild() {
		return nil
	}
	return []any{"trace_id", rel.parent.TraceID().String()}
}

// reconciled takes obj as the reconciled object. Only the first one counts.
func (s *session) reconciled(gvk schema.GroupVersionKind, obj client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.object == nil {
		s.gvk, s.object = gvk, obj
	}
}

// isReconciled reports whether an object of this type, kind and name is the one being reconciled. The
// type decides where the reconciler's scheme did not know it, and cannot for those that fit any kind.
func (s *session) isReconciled(obj client.Object, gvk schema.GroupVersionKind, key types.NamespacedName) bool {
	if key != s.key {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, anyKind := obj.(runtime.Unstructured); anyKind || isPartial(obj) {
		return gvk.GroupKind() == s.gvk.GroupKind()
	}
	return reflect.TypeOf(obj) == s.typ || gvk.GroupKind() == s.gvk.GroupKind()
}

// remember keeps a copy of an object as the reconcile read it, or as a write returned it. A full
// memory keeps what it has and refuses others.
func (s *session) remember(gvk schema.GroupVersionKind, obj client.Object) {
	key := client.ObjectKeyFromObject(obj)
	if !s.reserve(gvk, key) {
		return
	}
	kept := deepCopy(obj)
	s.keep(gvk, key, kept)
	if s.isReconciled(obj, gvk, key) {
		s.reconciled(gvk, kept)
	}
}

// rememberAbsent notes that the object does not exist.
func (s *session) rememberAbsent(gvk schema.GroupVersionKind, key types.NamespacedName) {
	if s.reserve(gvk, key) {
		s.keep(gvk, key, nil)
	}
}

// reserve is asked first, so that nothing is copied in vain.
func (s *session) reserve(gvk schema.GroupVersionKind, key types.NamespacedName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.reads[readKey{gvk.GroupKind(), key}]
	return known || len(s.reads) < maxReads || key == s.key && s.object == nil
}

func (s *session) keep(gvk schema.GroupVersionKind, key types.NamespacedName, obj client.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads == nil {
		s.reads = make(map[readKey]client.Object)
	}
	s.reads[readKey{gvk.GroupKind(), key}] = obj
}

// asRead gives the object as this reconcile last read it: nil where it does not exist. It is not known
// without a reconcile, and where the object was not read.
func (s *session) asRead(gvk schema.GroupVersionKind, key types.NamespacedName) (obj client.Object, known bool) {
	if s == nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	obj, known = s.reads[readKey{gvk.GroupKind(), key}]
	return obj, known
}

// ownerContext gives the annotations of the context that the reconciled object carries.
func (s *session) ownerContext() map[string]string {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.object == nil {
		return nil
	}
	if _, ok := s.cfg.extractFrom(s.object.GetAnnotations()); !ok {
		return nil
	}
	return s.cfg.keys.pick(s.object.GetAnnotations())
}
