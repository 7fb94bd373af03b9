package tracing

import (
	"context"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/trace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

type sessionKey struct{}

// session is one reconcile: what it read so far, and the span that starts when it does something. The
// wrapped reconciler puts it into the context, the wrapped client finds it there. It is safe for
// concurrent use.
type session struct {
	cfg   *config
	typ   reflect.Type // of the reconciled object
	key   types.NamespacedName
	start time.Time
	taken *run            // what the queue knows of the request; nil for nothing
	ctx   context.Context //nolint:containedctx // the span's start context, until the span starts
	span  lazySpan

	inside reconcileContext // what the reconciler gets
	once   sync.Once        // for logger
	logger any              // a logr.Logger; boxed once

	mu     sync.Mutex
	gvk    schema.GroupVersionKind
	object client.Object // the reconciled object as first read; nil before, or where it does not exist
	own    bearer        // the context of object, where looked is true
	looked bool
	reads  []read // the first of them in firstReads

	begun        bool       // the span has started: reads need not wait for it
	readSpans    []readSpan // that wait
	readsDropped int

	wrote atomic.Uint32 // intents

	options    [6]trace.SpanStartOption // of the span, kept here to be no allocation of their own
	firstReads [4]read                  // most reconciles read no more, and none should pay for a map
}

// read is an object as the reconcile read it. It is named regardless of the version and the Go type that it was read as.
type read struct {
	kind   schema.GroupKind
	name   types.NamespacedName
	object client.Object // nil where it does not exist
}

// newSession starts a reconcile and gives the context to run it with.
func newSession(ctx context.Context, cfg *config, typ reflect.Type, gvk schema.GroupVersionKind, key types.NamespacedName) (*session, context.Context) {
	s := &session{cfg: cfg, typ: typ, gvk: gvk, key: key, start: cfg.now(), ctx: ctx}
	s.span.cfg, s.span.owner = cfg, s
	s.reads = s.firstReads[:0]
	ctx = trace.ContextWithSpan(ctx, &s.span)
	if _, err := logr.FromContext(ctx); err != nil {
		ctx = log.IntoContext(ctx, log.Log) // there must be one to be decorated
	}
	s.inside = reconcileContext{Context: ctx, session: s}
	return s, &s.inside
}

// reconcileContext is the context of a wrapped reconcile. It finds the session, and decorates the logger when somebody asks
// for it: every reconcile would pay for context.WithValue and a decorated logger, and most log nothing.
type reconcileContext struct {
	context.Context

	session *session
}

// Value implements context.Context. The logger is recognised by its type, for logr's key is its own.
func (c *reconcileContext) Value(key any) any {
	if _, ok := key.(sessionKey); ok {
		return c.session
	}
	value := c.Context.Value(key)
	switch l := value.(type) {
	case logr.Logger:
		return c.session.decorated(l)
	case *slog.Logger:
		return c.session.decorated(logr.FromSlogHandler(l.Handler()))
	default:
		return value
	}
}

// decorated gives the logger of the reconcile, which is always the same one.
func (s *session) decorated(l logr.Logger) any {
	s.once.Do(func() { s.logger = withIDs(l, idsOf(&s.inside)) })
	return s.logger
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
	if s.taken != nil {
		attributes = s.taken.attributes(attributes)
		rel.links = s.taken.links(rel)
	}
	ctx, opts := rel.start(s.ctx, s.options[:0])
	opts = append(opts,
		trace.WithTimestamp(s.start),
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attributes...),
	)
	_, span := s.cfg.tracer().Start(ctx, s.cfg.names.of("reconcile", id.gvk.Kind), opts...)
	s.replayReads(span)
	return span
}

// relate decides the relation, as far as is known by now: a reconcile of an object that has no context may
// still read the owner. Before the object is known the span would be a new root, and nothing is decided.
// The caller holds the lock.
func (s *session) relate() (relation, bool) {
	if s.object == nil {
		return relation{}, false
	}
	if !s.looked {
		s.own, _ = s.cfg.bears(s.ctx, s.object)
		s.looked = true
	}
	if s.own.obj != nil {
		return s.cfg.relate(s.object, s.own, false, s.start), true
	}
	return s.cfg.relate(s.object, s.owner(s.object), true, s.start), true
}

// owner gives the context of an object's controlling owner as this reconcile read it; none where it did not.
// The caller holds the lock.
func (s *session) owner(obj client.Object) bearer {
	ref := metav1.GetControllerOfNoCopy(obj)
	if ref == nil || ref.UID == "" {
		return bearer{}
	}
	for _, r := range s.reads {
		if r.object == nil || r.object.GetUID() != ref.UID {
			continue
		}
		if stored, ok := s.cfg.extractFrom(r.object.GetAnnotations()); ok {
			return bearer{r.object, stored}
		}
	}
	return bearer{}
}

// ownerOf is owner for any object; without a reconcile there is none.
func (s *session) ownerOf(obj client.Object) bearer {
	if s == nil {
		return bearer{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner(obj)
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

// isReconciled reports whether an object of this type, kind and name is the one being reconciled.
func (s *session) isReconciled(obj client.Object, gvk schema.GroupVersionKind, key types.NamespacedName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isAbout(obj, gvk, key)
}

// isAbout is isReconciled for a caller that holds the lock. The type decides where the reconciler's scheme did not know it, and
// cannot for those that fit any kind.
func (s *session) isAbout(obj client.Object, gvk schema.GroupVersionKind, key types.NamespacedName) bool {
	if key != s.key || key.Name == "" { // a request may be about no single object
		return false
	}
	if _, anyKind := obj.(runtime.Unstructured); anyKind || isPartial(obj) {
		return gvk.GroupKind() == s.gvk.GroupKind()
	}
	return reflect.TypeOf(obj) == s.typ || gvk.GroupKind() == s.gvk.GroupKind()
}

// intends notes what a write is for.
func (s *session) intends(i intents) {
	if s != nil {
		s.wrote.Or(uint32(i))
	}
}

// remember keeps a copy of an object as the reconcile read it, or as a write returned it. A full
// memory keeps what it has and refuses others. The first copy of the reconciled object stays what the reconcile is about.
func (s *session) remember(gvk schema.GroupVersionKind, obj client.Object) {
	key := client.ObjectKeyFromObject(obj)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(gvk, key)
	if !s.hasRoom(i, key) {
		return
	}
	kept := deepCopy(obj)
	s.keep(i, gvk, key, kept)
	if s.object == nil && s.isAbout(obj, gvk, key) {
		s.gvk, s.object = gvk, kept
	}
}

// rememberAbsent notes that the object does not exist.
func (s *session) rememberAbsent(gvk schema.GroupVersionKind, key types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(gvk, key); s.hasRoom(i, key) {
		s.keep(i, gvk, key, nil)
	}
}

// hasRoom is asked before something is copied. i is what find says about the key. The caller holds the lock.
func (s *session) hasRoom(i int, key types.NamespacedName) bool {
	return i >= 0 || len(s.reads) < maxReads || key == s.key && s.object == nil
}

// keep puts an object where find says that it is. The caller holds the lock.
func (s *session) keep(i int, gvk schema.GroupVersionKind, key types.NamespacedName, obj client.Object) {
	if i >= 0 {
		s.reads[i].object = obj
		return
	}
	s.reads = append(s.reads, read{gvk.GroupKind(), key, obj})
}

// find gives the index of an object among the reads, -1 where it is not there. The caller holds the lock.
func (s *session) find(gvk schema.GroupVersionKind, key types.NamespacedName) int {
	kind := gvk.GroupKind()
	return slices.IndexFunc(s.reads, func(r read) bool { return r.name == key && r.kind == kind })
}

// asRead gives the object as this reconcile last read it: nil where it does not exist. It is not known
// without a reconcile, and where the object was not read.
func (s *session) asRead(gvk schema.GroupVersionKind, key types.NamespacedName) (obj client.Object, known bool) {
	if s == nil {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(gvk, key); i >= 0 {
		return s.reads[i].object, true
	}
	return nil, false
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
