package tracing

import (
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// QueueObserver knows what happened to the requests of one controller while they were queued: when each was added
// first and when it was ready, for which events, and which attempt it is. It is no queue itself, but a
// table beside the controller's, which it learns from by decorating it: the requests are what they were.
//
// A controller gets all of it in four places: its options ([QueueObserver.Options]), its event filter
// ([QueueObserver.Predicate]), the handlers that it passes to Watches ([WrapEventHandler]), and its wrapped reconciler
// ([WithQueueObserver]). Each can be left out; what is not known then is absent from the spans.
//
// Make one per controller, or their requests are mixed. The table is bounded: 16,384 requests, of which
// each keeps the contexts of ten events. It is emptied when the queue shuts down. While tracing is off,
// nothing is noted. A nil *QueueObserver is valid and changes nothing. It is safe for concurrent use.
type QueueObserver[R comparable] struct {
	cfg      *config
	requests func(client.Object) []R // may be nil
	table    queueTable[R]
}

// NewQueueObserver makes the QueueObserver of a controller of objects like obj, an empty object or a nil pointer of its
// type. Its predicate takes an event to be about the requests that For and Owns would make of it: of an
// object like obj its own, of others those of their owners like obj. [WithScheme] is needed for types that
// client-go's scheme does not know, or owners are recognised by their kind alone, whatever its group.
func NewQueueObserver(obj client.Object, opts ...Option) *QueueObserver[reconcile.Request] {
	q := NewTypedQueueObserver[reconcile.Request](nil, opts...)
	if gvk := kindOf(obj, q.cfg.scheme); gvk.Kind != "" {
		q.requests = requestsFor(gvk, q.cfg.scheme)
	}
	return q
}

// NewTypedQueueObserver is [NewQueueObserver] for requests of any type. The function requests gives the requests that an
// event about an object may lead to. It is called for the event of every object that passes the predicate,
// never with nil. With a nil function the predicate notes nothing.
func NewTypedQueueObserver[R comparable](requests func(client.Object) []R, opts ...Option) *QueueObserver[R] {
	return &QueueObserver[R]{cfg: newConfig(opts), requests: requests}
}

// WithQueueObserver tells the wrapped reconciler of a controller what the controller's queue knows. Its spans get
// the attributes operator.reconcile.attempt, queue_wait, delay, trigger, events and requeue_reason, as
// far as they are known, and links to the contexts of all events that the queue coalesced, at most ten,
// those of the span's own trace left out. A nil q is ignored, and so is one for another type of requests.
func WithQueueObserver[R comparable](q *QueueObserver[R]) Option {
	return optionFunc(func(c *config) {
		if q != nil {
			c.queue = q
		}
	})
}

// Options gives the options of a controller with its queue decorated. Where o.NewQueue is nil, that is the
// queue that controller-runtime would make. It can't see config.Controller.UsePriorityQueue of the
// manager: who sets that, and o.RateLimiter too, must set o.UsePriorityQueue.
func (q *QueueObserver[R]) Options(o controller.TypedOptions[R]) controller.TypedOptions[R] {
	if q == nil {
		return o
	}
	if o.NewQueue == nil {
		o.NewQueue = defaultNewQueue(o)
	}
	o.NewQueue = q.WrapNewQueue(o.NewQueue)
	return o
}

// WrapNewQueue decorates the queues that f makes, and the rate limiters that f is handed. The decorated
// queue is a priorityqueue.PriorityQueue if and only if the queue is one. It passes everything through.
// With a nil f it makes the priority queue that is controller-runtime's default.
func (q *QueueObserver[R]) WrapNewQueue(f func(string, workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimitingInterface[R]) func(string, workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimitingInterface[R] {
	if q == nil {
		return f
	}
	if f == nil {
		f = defaultNewQueue(controller.TypedOptions[R]{UsePriorityQueue: new(true)})
	}
	return func(name string, l workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimitingInterface[R] {
		return q.decorate(f(name, q.WrapRateLimiter(l)))
	}
}

// WrapRateLimiter decorates a rate limiter, which knows how long a request is held back. It is for those
// whose queue has a limiter of its own: [QueueObserver.Options] and [QueueObserver.WrapNewQueue] decorate the one that they
// are handed. It passes everything through. A nil l stays nil.
func (q *QueueObserver[R]) WrapRateLimiter(l workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimiter[R] {
	if q == nil || l == nil {
		return l
	}
	if t, ok := l.(*tracedRateLimiter[R]); ok && t.queue == q {
		return l
	}
	return &tracedRateLimiter[R]{l, q}
}

// Predicate learns from which events the requests come that For and Owns make. It lets every event pass.
// It belongs into the builder's WithEventFilter, or where other predicates refuse events, better as the
// last one of WithPredicates of each watch. Handlers of Watches are better wrapped by [WrapEventHandler].
//
// An event explains a request that is added, without a delay, within a second after the predicate saw it.
// 1,024 events are remembered meanwhile. An object without a valid context is a trigger, but gives no link;
// nothing is logged about it.
func (q *QueueObserver[R]) Predicate() predicate.Predicate {
	if q == nil {
		return predicate.Funcs{}
	}
	return triggerPredicate[R]{q}
}

// running gives what is known of the request that is being reconciled; nil for nothing.
func (q *QueueObserver[R]) running(item R) *run {
	if q == nil {
		return nil
	}
	return q.table.running(item)
}

// defaultNewQueue makes queues as controller-runtime does where no NewQueue is given.
func defaultNewQueue[R comparable](o controller.TypedOptions[R]) func(string, workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimitingInterface[R] {
	return func(name string, l workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimitingInterface[R] {
		if !usesPriorityQueue(o, l) {
			return workqueue.NewTypedRateLimitingQueueWithConfig(l, workqueue.TypedRateLimitingQueueConfig[R]{Name: name})
		}
		logger := o.Logger
		if logger.GetSink() == nil {
			logger = log.Log // the manager's, if it was given none
		}
		return priorityqueue.New(name, func(opts *priorityqueue.Opts[R]) {
			opts.Log = logger.WithValues("controller", name)
			opts.RateLimiter = l
		})
	}
}

// usesPriorityQueue reports which queue controller-runtime would make. What the manager's options say, it
// knows only by the rate limiter that it chose for that queue.
func usesPriorityQueue[R comparable](o controller.TypedOptions[R], l workqueue.TypedRateLimiter[R]) bool {
	if o.UsePriorityQueue != nil {
		return *o.UsePriorityQueue
	}
	for t, ok := l.(*tracedRateLimiter[R]); ok; t, ok = l.(*tracedRateLimiter[R]) { // the observer of a wrapped manager adds its own
		l = t.TypedRateLimiter
	}
	_, other := l.(*workqueue.TypedMaxOfRateLimiter[R])
	return o.RateLimiter != nil || !other
}
