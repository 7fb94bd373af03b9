package tracing

import (
	"context"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
)

// WrapEventHandler returns a handler that records the event as the trigger of every request that h
// adds, and a link to the context of the event's object (of the new object for an update). It also
// covers requests that h adds after its return. Use it for the handlers of Watches and of sources.
// The builder creates the handlers of For and Owns; [QueueObserver.Predicate] observes those. An
// event that passes both is recorded once.
//
// h receives a priorityqueue.PriorityQueue if and only if the wrapper did. If q is nil, and while
// tracing is off, the wrapper only calls h. It returns nil for a nil h. The wrapper is as safe for
// concurrent use as h.
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

// announcing returns the queue for a handler to add to because of an event. controller-runtime may
// wrap the decorated queue before the handler sees it, so the two decorators communicate through
// the table.
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
