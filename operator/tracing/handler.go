package tracing

import (
	"context"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
)

// WrapEventHandler makes every request that h adds, in whatever way and also after its return, have the
// event as its trigger, and the context of the event's object (of an update: the new one's) as a link. It
// is for the handlers of Watches and of sources; those of For and Owns are the builder's own, and
// [QueueObserver.Predicate] learns their triggers. It does not matter if an event passes both.
//
// The queue that h is handed is a priorityqueue.PriorityQueue if and only if the wrapper was handed one.
// With a nil q, and while tracing is off, h is called with nothing added. A nil h stays nil. The wrapper is
// as safe for concurrent use as h.
func WrapEventHandler[T client.Object, R comparable](q *QueueObserver[R], h handler.TypedEventHandler[T, R]) handler.TypedEventHandler[T, R] {
	if q == nil || h == nil {
		return h
	}
	return &tracedHandler[T, R]{h, q}
}

type tracedHandler[T client.Object, R comparable] struct {
	inner handler.TypedEventHandler[T, R]
	queue *QueueObserver[R]
}

// Create implements handler.TypedEventHandler.
func (h *tracedHandler[T, R]) Create(ctx context.Context, e event.TypedCreateEvent[T], q workqueue.TypedRateLimitingInterface[R]) {
	h.inner.Create(ctx, e, h.queue.announcing(q, eventCreate, e.Object))
}

// Update implements handler.TypedEventHandler.
func (h *tracedHandler[T, R]) Update(ctx context.Context, e event.TypedUpdateEvent[T], q workqueue.TypedRateLimitingInterface[R]) {
	h.inner.Update(ctx, e, h.queue.announcing(q, eventUpdate, e.ObjectNew))
}

// Delete implements handler.TypedEventHandler.
func (h *tracedHandler[T, R]) Delete(ctx context.Context, e event.TypedDeleteEvent[T], q workqueue.TypedRateLimitingInterface[R]) {
	h.inner.Delete(ctx, e, h.queue.announcing(q, eventDelete, e.Object))
}

// Generic implements handler.TypedEventHandler.
func (h *tracedHandler[T, R]) Generic(ctx context.Context, e event.TypedGenericEvent[T], q workqueue.TypedRateLimitingInterface[R]) {
	h.inner.Generic(ctx, e, h.queue.announcing(q, eventGeneric, e.Object))
}

// announcing gives the queue that a handler adds to because of an event. The queue that it adds to in turn
// may be a wrapper of controller-runtime's around the decorated one, so the two meet in the table.
func (q *QueueObserver[R]) announcing(inner workqueue.TypedRateLimitingInterface[R], action string, obj client.Object) workqueue.TypedRateLimitingInterface[R] {
	if q.cfg.off() || absent(obj) || inner == nil {
		return inner
	}
	t := q.cfg.trigger(action, obj)
	return observeAdds(inner, func(item R, after time.Duration, limited bool) {
		if !q.cfg.off() {
			q.table.announce(item, after, limited, t, q.cfg.now())
		}
	})
}
