package tracing

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

type sessionKey struct{}

// session is one reconcile: the objects that it read, and its span, which starts at the first
// write. The wrapped reconciler puts the session into the context, and the wrapped client reads it
// from there. It is safe for concurrent use.
type session struct {
	cfg   *config
	typ   reflect.Type // of the reconciled object
	key   types.NamespacedName
	start time.Time
	taken *run            // the queue's record of the request, or nil
	ctx   context.Context //nolint:containedctx // to start the span with; nil after the start
	span  lazySpan

	inside reconcileContext // the reconciler's context
	once   sync.Once        // for logger
	logger any              // a logr.Logger; boxed once

	mu        sync.Mutex
	gvk       schema.GroupVersionKind
	object    *objectFacts // the reconciled object as first read; nil before that, and if the object does not exist
	readiness Readiness    // of object's kind
	objStart  time.Time    // the start of object's generation, if known
	reads     []read       // the first entries are in firstReads

	foreign trace.SpanContext // of the operator's own tracing; see joins

	changeStart time.Time // start of the change; zero until the span starts
	waiting     []waitingSpan
	dropped     int
	events      []waitingEvent

	wrote       atomic.Uint32 // intents
	limiterWait atomic.Int64  // nanoseconds
	readWait    atomic.Int64  // nanoseconds

	options    [6]trace.SpanStartOption // of the span, kept here to save an allocation
	firstReads [2]read                  // larger arrays cost every reconcile more than they save some
	firstFacts [2]objectFacts           // of these reads, and of written objects
	facts      int                      // number of used firstFacts
}

// read is an object as the reconcile read it. Its name does not depend on the API version and the
// Go type of the read.
type read struct {
	objectName
	facts *objectFacts // nil if it does not exist
}

// newSession starts a reconcile and returns its context.
func newSession(ctx context.Context, cfg *config, typ reflect.Type, gvk schema.GroupVersionKind, key types.NamespacedName) (*session, context.Context) {
	if ctx == nil {
		ctx = context.Background()
	}
	s := &session{cfg: cfg, typ: typ, gvk: gvk, key: key, start: cfg.now(), ctx: ctx}
	s.span.cfg, s.span.owner = cfg, s
	s.reads = s.firstReads[:0]
	ctx = trace.ContextWithSpan(ctx, &s.span)
	if _, err := logr.FromContext(ctx); err != nil {
		ctx = log.IntoContext(ctx, log.Log) // a logger to decorate
	}
	s.inside = reconcileContext{Context: ctx, session: s}
	return s, &s.inside
}

// reconcileContext is the context of a wrapped reconcile. It contains the session, and decorates
// the logger on demand. context.WithValue and a decorated logger would cost in every reconcile, and
// most reconciles log nothing.
type reconcileContext struct {
	context.Context

	session *session
}

// Value implements context.Context. It does not change loggers that the operator keeps under keys
// of its own.
func (c *reconcileContext) Value(key any) any {
	if _, ok := key.(sessionKey); ok {
		return c.session
	}
	value := c.Context.Value(key)
	if key != loggerKey {
		return value
	}
	switch l := value.(type) {
	case logr.Logger:
		return c.session.decorated(l)
	case *slog.Logger:
		return c.session.decorated(logr.FromSlogHandler(l.Handler()))
	default:
		return value
	}
}

// loggerKey is the key of the logger in a context. logr does not export it, but asks a context for
// it.
var loggerKey = func() (key any) {
	_, _ = logr.FromContext(keyProbe{context.Background(), &key})
	return key
}()

// keyProbe is a context that records the key of the last call of Value.
type keyProbe struct {
	context.Context

	key *any
}

// Value implements context.Context.
func (p keyProbe) Value(key any) any {
	*p.key = key
	return nil
}

// decorated returns the decorated logger, which is the same for the whole reconcile.
func (s *session) decorated(l logr.Logger) any {
	s.once.Do(func() { s.logger = withIDs(l, idsOf(&s.inside)) })
	return s.logger
}

func sessionFrom(ctx context.Context) *session {
	if ctx == nil {
		return nil
	}
	s, _ := ctx.Value(sessionKey{}).(*session)
	return s
}

// newSpan starts the span of the reconcile, backdated to the reconcile's start.
func (s *session) newSpan() trace.Span {
	s.mu.Lock()
	rel, _ := s.relate()
	if !rel.parent.SpanID().IsValid() && s.foreign.IsValid() {
		rel.parent, rel.span = s.foreign, nil
	}
	id := objectID{gvk: s.gvk, namespace: s.key.Namespace, name: s.key.Name}
	if s.object != nil {
		id.uid, id.generation = string(s.object.uid), s.object.generation
	}
	s.mu.Unlock()

	attributes := id.attributes()
	if rid := controller.ReconcileIDFromContext(s.ctx); rid != "" {
		attributes = append(attributes, ReconcileIDKey.String(string(rid)))
	}
	if s.taken != nil {
		attributes = s.taken.attributes(attributes, s.cfg.causes)
		rel.links = s.taken.links(rel, s.cfg.causes)
	}
	ctx, opts := rel.start(s.ctx, s.options[:0])
	opts = append(opts,
		trace.WithTimestamp(s.start),
		kindConsumer,
		trace.WithAttributes(attributes...),
	)
	_, span := s.cfg.tracer().Start(ctx, s.cfg.names.of("reconcile", id.gvk.Kind), opts...)
	s.cfg.causes.put(causeKey{uid: types.UID(id.uid), what: byReconcile}, cause{span: span.SpanContext(), start: rel.changeStart.UnixNano()})
	s.flush(span, rel.changeStart)
	return span
}

// joins starts the span of the reconcile for a write whose context has another span. Operators with
// their own tracing replace the reconcile's span, for example by a context from an annotation. The
// reconcile's span then becomes a child of that span, unless its object's context is its parent.
func (s *session) joins(ctx context.Context) {
	if s == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	if _, ours := span.(*lazySpan); ours || !span.SpanContext().IsValid() {
		return
	}
	s.mu.Lock()
	s.foreign = span.SpanContext()
	s.mu.Unlock()
	s.span.ensure()
}

// relate decides the relation. decided is false while the object is unknown, because the span would
// be a new root; the reconcile may also still read the owner of an object without a context. The
// caller holds the lock.
func (s *session) relate() (relation, bool) {
	if s.object == nil {
		return relation{changeStart: s.start}, false
	}
	f := s.object
	own, start := s.cfg.carriedBy(objectName{s.gvk.GroupKind(), s.key}, f), s.objStart
	of, ready := f, s.readiness
	if !own.valid() {
		if owner, facts := s.owner(f); owner.valid() {
			own, of, ready = owner, facts, Readiness{}
			own.current = own.current && s.fresh(of, ready, own.start)
		}
	}
	if own.current {
		start = own.start
	} else {
		of, ready = f, s.readiness
	}
	r, decided := s.cfg.relateAnyAge(f, own, start)
	if decided || s.fresh(of, ready, start) {
		return r, true
	}
	return s.relateStale(f, own), true
}

// relateStale decides the relation of a reconcile whose own change is over. The reconcile joins the
// fresh change that triggered it, if any.
func (s *session) relateStale(f *objectFacts, own carried) relation {
	if s.taken != nil {
		for i := range s.taken.triggers {
			if c := s.taken.triggers[i].change(s.cfg.causes); c.current && c.valid() && s.start.Sub(c.start) < min(s.cfg.maxAge, s.cfg.convergedAge) {
				return c.parent()
			}
		}
	}
	return s.cfg.newRoot(f, own, s.start)
}

// owner returns the context of an object's controlling owner, as this reconcile read it. The caller
// holds the lock.
func (s *session) owner(f *objectFacts) (carried, *objectFacts) {
	if f.controller != "" {
		for _, r := range s.reads {
			if r.facts != nil && r.facts.uid == f.controller {
				return s.cfg.carriedBy(r.objectName, r.facts), r.facts
			}
		}
	}
	return carried{}, nil
}

// ownerOf is owner for any object. It returns no context outside of a reconcile.
func (s *session) ownerOf(f *objectFacts) carried {
	if s == nil {
		return carried{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, _ := s.owner(f)
	return c
}

// changeStartOr returns the start of this reconcile's change, or now outside of a reconcile. The
// span must have started.
func (s *session) changeStartOr(now time.Time) time.Time {
	if s == nil {
		return now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changeStart.IsZero() {
		return now
	}
	return s.changeStart
}

// expectedIDs returns the ids for a log line before the span starts.
func (s *session) expectedIDs() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	rel, ok := s.relate()
	if !ok || !rel.isChild() {
		return nil
	}
	return []any{"trace_id", rel.parent.TraceID().String()}
}

// intends records the effect of a write.
func (s *session) intends(i intents) {
	if s != nil {
		s.wrote.Or(uint32(i))
	}
}
