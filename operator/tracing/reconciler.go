package tracing

import (
	"context"
	"errors"
	"reflect"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// WrapReconciler gives the reconciles of r a span "reconcile {Kind}" of kind CONSUMER, where obj is an
// empty object of the reconciled type, or a nil pointer of it. The span starts at the first write through
// a wrapped client, at an error, or when another span needs a parent, backdated to the reconcile's start:
// a reconcile that does nothing exports nothing.
//
// Where the span belongs is decided by the context of the reconciled object as r's own first Get
// through the wrapped client returned it. The span is a child of that context if it was written for the
// object's present generation and is fresh ([WithMaxAge], [WithConvergedAge]); stale, it becomes a link
// of a new trace; written for another generation, or missing, the span is a root in a trace whose id
// follows from the object's UID and generation. A reconcile that reads nothing starts a new trace.
// [WithRelation] chooses another policy.
//
// Where the object has no context and r read its controlling owner before the span started, the owner's
// context decides, by the owner's generation and freshness; stale or of another generation, it becomes a
// link of the root in the trace of the object's generation.
//
// With [WithQueueObserver], the span also says what the controller's queue knows of the request.
//
// A reconciler that is wrapped twice makes one span. What a goroutine does with r's context after r has
// returned is a child of the reconcile's span where that started, and otherwise begins a trace of its own.
//
// Results and errors are those of r; panics are recorded and go on. While tracing is off, r is called
// with nothing added. The wrapper is as safe for concurrent use as r. A nil r gives nil, so that
// controller-runtime says what is missing.
func WrapReconciler(obj client.Object, r reconcile.Reconciler, opts ...Option) reconcile.Reconciler {
	return WrapTypedReconciler(obj, r, func(req reconcile.Request) types.NamespacedName { return req.NamespacedName }, opts...)
}

// WrapTypedReconciler is [WrapReconciler] for requests of any type R. The function key gives the name of
// the object that a request is about. A nil key means that requests are about no single object: the span
// is then the root of a new trace, and names none. A nil obj is for requests about objects of no certain
// kind: the span is "reconcile" alone, the root of a new trace.
func WrapTypedReconciler[R comparable](obj client.Object, r reconcile.TypedReconciler[R], key func(R) types.NamespacedName, opts ...Option) reconcile.TypedReconciler[R] {
	if r == nil {
		return nil
	}
	c := newConfig(opts)
	q, _ := c.queue.(*QueueObserver[R])
	return &tracedReconciler[R]{inner: r, key: key, cfg: c, queue: q, typ: reflect.TypeOf(obj), gvk: kindOf(obj, c.scheme)}
}

type tracedReconciler[R comparable] struct {
	inner reconcile.TypedReconciler[R]
	key   func(R) types.NamespacedName // may be nil
	cfg   *config
	queue *QueueObserver[R] // may be nil
	typ   reflect.Type
	gvk   schema.GroupVersionKind
}

var _ reconcile.Reconciler = (*tracedReconciler[reconcile.Request])(nil)

// Reconcile implements reconcile.TypedReconciler.
func (r *tracedReconciler[R]) Reconcile(ctx context.Context, req R) (reconcile.Result, error) {
	if r.cfg.off() {
		return r.inner.Reconcile(ctx, req)
	}
	var name types.NamespacedName
	if r.key != nil {
		name = r.key(req)
	}
	if outer := sessionFrom(ctx); outer != nil && r.key != nil && outer.typ == r.typ && outer.key == name {
		return r.inner.Reconcile(ctx, req)
	}
	s, ctx := newSession(ctx, r.cfg, r.typ, r.gvk, name)
	s.taken = r.queue.running(req)
	return s.run(func() (reconcile.Result, error) { return r.inner.Reconcile(ctx, req) })
}

// WrapObjectReconciler is [WrapReconciler] for a reconciler that is handed the object: the object's
// context decides, and nothing needs to be read. Inside a reconciler that is wrapped already, it only
// tells that one the object. A nil object, which controller-runtime never hands over, goes to r as it is; its
// span is the root of a new trace and names none. A nil r gives nil.
func WrapObjectReconciler[T client.Object](r reconcile.ObjectReconciler[T], opts ...Option) reconcile.ObjectReconciler[T] {
	if r == nil {
		return nil
	}
	c := newConfig(opts)
	q, _ := c.queue.(*QueueObserver[reconcile.Request])
	return &tracedObjectReconciler[T]{inner: r, cfg: c, queue: q}
}

type tracedObjectReconciler[T client.Object] struct {
	inner reconcile.ObjectReconciler[T]
	cfg   *config
	queue *QueueObserver[reconcile.Request] // may be nil
}

// Reconcile implements reconcile.ObjectReconciler.
func (r *tracedObjectReconciler[T]) Reconcile(ctx context.Context, obj T) (reconcile.Result, error) {
	if r.cfg.off() {
		return r.inner.Reconcile(ctx, obj)
	}
	gvk := kindOf(obj, r.cfg.scheme)
	if isNil(obj) {
		s, ctx := newSession(ctx, r.cfg, reflect.TypeOf(obj), gvk, types.NamespacedName{})
		return s.run(func() (reconcile.Result, error) { return r.inner.Reconcile(ctx, obj) })
	}
	key := client.ObjectKeyFromObject(obj)
	if outer := sessionFrom(ctx); outer != nil && outer.isReconciled(obj, gvk, key) {
		outer.remember(gvk, obj, false)
		return r.inner.Reconcile(ctx, obj)
	}
	s, ctx := newSession(ctx, r.cfg, reflect.TypeOf(obj), gvk, key)
	s.taken = r.queue.running(reconcile.Request{NamespacedName: key})
	s.remember(gvk, obj, false)
	return s.run(func() (reconcile.Result, error) { return r.inner.Reconcile(ctx, obj) })
}

// Values of the attribute operator.reconcile.result.
const (
	resultSuccess       = "success"
	resultRequeue       = "requeue"
	resultRequeueAfter  = "requeue_after"
	resultError         = "error"
	resultTerminalError = "terminal_error"
	resultPanic         = "panic"
)

// run calls the reconciler and ends the span, if one started, with what came out.
func (s *session) run(reconciler func() (reconcile.Result, error)) (result reconcile.Result, err error) {
	returned := false
	defer func() {
		if returned {
			s.end(result, err)
			return
		}
		// The reconciler panicked, or ended its goroutine (then there is no value). Recovering in a
		// deferred call and panicking again keeps the frames of the first panic in the stack.
		value := recover()
		s.endPanicked(value)
		if value != nil {
			panic(value)
		}
	}()
	result, err = reconciler()
	returned = true
	return result, err
}

func (s *session) end(result reconcile.Result, err error) {
	s.taken.ends(reasonFor(result, err))
	if err != nil {
		s.span.ensure()
	}
	span := s.span.finish()
	if span == nil {
		return
	}
	recordError(span, err, false)
	span.SetAttributes(ReconcileResultKey.String(resultOf(result, err)), s.intent())
	if err == nil && result.RequeueAfter > 0 {
		span.SetAttributes(ReconcileRequeueAfterKey.Float64(result.RequeueAfter.Seconds()))
	}
	s.tellWaits(span)
	span.End()
}

// tellWaits adds how long the reconcile waited for what is not its own work.
func (s *session) tellWaits(span trace.Span) {
	if wait := time.Duration(s.readWait.Load()); wait > 0 {
		span.SetAttributes(ReconcileReadWaitKey.Float64(wait.Seconds()))
	}
	if wait := time.Duration(s.limiterWait.Load()); wait > 0 {
		span.SetAttributes(ReconcileLimiterWaitKey.Float64(wait.Seconds()))
	}
}

func resultOf(result reconcile.Result, err error) string {
	switch {
	case err != nil && isTerminal(err):
		return resultTerminalError
	case err != nil:
		return resultError
	case result.RequeueAfter > 0:
		return resultRequeueAfter
	case result.Requeue: //nolint:staticcheck // deprecated, and still heeded by controller-runtime
		return resultRequeue
	default:
		return resultSuccess
	}
}

func (s *session) intent() attribute.KeyValue {
	return ReconcileWriteIntentKey.String(intents(s.wrote.Load()).String())
}

// isTerminal reports whether controller-runtime will not try again after err.
func isTerminal(err error) bool { return errors.Is(err, reconcile.TerminalError(nil)) }

func (s *session) endPanicked(value any) {
	s.taken.ends(requeueError) // controller-runtime makes it one, or the process ends
	s.span.ensure()
	span := s.span.finish()
	span.SetAttributes(ReconcileResultKey.String(resultPanic), s.intent())
	s.tellWaits(span)
	recordPanic(span, value)
	span.End()
}
