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

// WrapReconciler returns a reconciler that calls r and records a span "reconcile {Kind}" of kind
// CONSUMER. obj is an empty object of the reconciled type, or a nil pointer of it. The span starts
// at the first write through a wrapped client, at an error, or when another span needs a parent.
// Its start time is the start of the reconcile. A reconcile that does nothing exports nothing.
//
// The context of the reconciled object decides the span's parent. It is read from r's first Get of
// the object through the wrapped client. The span is a child of a context that was written for the
// object's current generation and is fresh ([WithMaxAge], [WithConvergedAge]). If that context is
// stale, the span is the root of a new trace with a link to it. If the context is missing or was
// written for another generation, the span is a root in a trace whose id is derived from the
// object's UID and generation. A reconcile that reads nothing starts a new trace. [WithRelation]
// selects another policy.
//
// If the object has no context and r read its controlling owner before the span started, the
// owner's context decides in the same way, by the owner's generation and freshness. If the owner's
// context is stale or for another generation, it becomes a link of the root in the trace of the
// object's generation.
//
// With [WithQueueObserver], the span also has the attributes of the request in the controller's
// queue.
//
// A reconciler that is wrapped twice creates one span. If a goroutine uses r's context after r
// returned, its spans are children of the reconcile's span if that started, and otherwise start a
// new trace.
//
// The reconciler returns the results and errors of r. It records panics and panics again. While
// tracing is off, it only calls r. It is as safe for concurrent use as r. WrapReconciler returns
// nil for a nil r, so that controller-runtime reports the error.
func WrapReconciler(obj client.Object, r reconcile.Reconciler, opts ...Option) reconcile.Reconciler {
	return WrapTypedReconciler(obj, r, func(req reconcile.Request) types.NamespacedName { return req.NamespacedName }, opts...)
}

// WrapTypedReconciler is [WrapReconciler] for requests of any type R. The function key returns the
// name of the object of a request. A nil key means that requests do not name a single object: the
// span is then the root of a new trace and has no object. A nil obj means that the kind of the
// objects is unknown: the span is called "reconcile" and is the root of a new trace.
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

// WrapObjectReconciler is [WrapReconciler] for a reconciler that receives the object. The context
// of that object decides the span's parent, without a read. In a reconciler that is wrapped
// already, it only passes the object to the outer wrapper. It passes a nil object to r; the span is
// then the root of a new trace and has no object. It returns nil for a nil r.
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

// run calls the reconciler and records the outcome on the span, if the span started.
func (s *session) run(reconciler func() (reconcile.Result, error)) (result reconcile.Result, err error) {
	returned := false
	defer func() {
		if returned {
			s.end(result, err)
			return
		}
		// value is nil if the reconciler called runtime.Goexit. A deferred recover followed by
		// another panic keeps the frames of the first panic in the stack.
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
	s.recordWaits(span)
	span.End()
}

// recordWaits adds the times that the reconcile waited for reads and for the rate limiter.
func (s *session) recordWaits(span trace.Span) {
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
	case result.Requeue: //nolint:staticcheck // deprecated, but controller-runtime still supports it
		return resultRequeue
	default:
		return resultSuccess
	}
}

func (s *session) intent() attribute.KeyValue {
	return ReconcileWriteIntentKey.String(intents(s.wrote.Load()).String())
}

// isTerminal reports whether controller-runtime will not retry after err.
func isTerminal(err error) bool { return errors.Is(err, reconcile.TerminalError(nil)) }

func (s *session) endPanicked(value any) {
	s.taken.ends(requeueError) // controller-runtime returns the panic as an error, or the process ends
	s.span.ensure()
	span := s.span.finish()
	span.SetAttributes(ReconcileResultKey.String(resultPanic), s.intent())
	s.recordWaits(span)
	recordPanic(span, value)
	span.End()
}
