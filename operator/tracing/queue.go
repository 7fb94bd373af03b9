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

// QueueObserver records when and why requests enter one controller's queue, when they are ready,
// and their attempts. It decorates the queue and keeps a table of its requests. It does not queue
// anything itself, and does not change requests.
//
// It observes a controller in four places: the controller's options ([QueueObserver.Options]), its
// event filter ([QueueObserver.Predicate]), the handlers of Watches ([WrapEventHandler]), and its
// wrapped reconciler ([WithQueueObserver]). The first three are optional: without one, the
// attributes that depend on it are absent.
//
// Use one QueueObserver per controller; otherwise requests of several controllers are mixed. The
// table holds 16,384 requests with ten triggers each. It is cleared when the queue shuts down.
// While tracing is off, it records nothing. A nil *QueueObserver is valid and does nothing. It is
// safe for concurrent use.
type QueueObserver[R comparable] struct {
	cfg      *config
	requests func(client.Object) []R // may be nil
	table    queueTable[R]
}

// NewQueueObserver returns the QueueObserver of a controller for objects like obj, which is an
// empty object or a nil pointer of its type. Its predicate assumes the requests that For and Owns
// add: for an object like obj its own request, and for other objects the requests of their owners
// like obj. Use [WithScheme] for types that are not in client-go's scheme. Otherwise owners are
// matched only by kind, in any group.
func NewQueueObserver(obj client.Object, opts ...Option) *QueueObserver[reconcile.Request] {
	q := NewTypedQueueObserver[reconcile.Request](nil, opts...)
	if gvk := kindOf(obj, q.cfg.scheme); gvk.Kind != "" {
		q.requests = requestsFor(gvk, q.cfg.scheme)
	}
	return q
}

// NewTypedQueueObserver is [NewQueueObserver] for requests of any type. The function requests
// returns the requests that an event about an object may add. It is called for the object of every
// event that passes the predicate, never with nil. If requests is nil, the predicate records
// nothing.
func NewTypedQueueObserver[R comparable](requests func(client.Object) []R, opts ...Option) *QueueObserver[R] {
	return &QueueObserver[R]{cfg: newConfig(opts), requests: requests}
}

// WithQueueObserver adds the records of q to the spans of a wrapped reconciler: the attributes
// operator.reconcile.attempt, queue_wait, delay, trigger, events and requeue_reason, if known, and
// links to the contexts of the events that the queue coalesced. There are at most ten links, and
// none to the span's own trace. q is ignored if it is nil or has another type of requests.
func WithQueueObserver[R comparable](q *QueueObserver[R]) Option {
	return optionFunc(func(c *config) {
		if q != nil {
			c.queue = q
		}
	})
}

// Options returns o with its queue decorated. If o.NewQueue is nil, the queue is
// controller-runtime's default. Options cannot read config.Controller.UsePriorityQueue of the
// manager: a controller that sets o.RateLimiter must set o.UsePriorityQueue as well if the manager
// does.
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

// WrapNewQueue returns a function that decorates the queues of f and the rate limiters that are
// passed to f. The decorated queue is a priorityqueue.PriorityQueue if and only if the queue is
// one. It passes all calls through. If f is nil, the function creates controller-runtime's default
// priority queue.
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

// WrapRateLimiter decorates a rate limiter, to observe how long it holds requests back. Use it if
// the queue has its own limiter: [QueueObserver.Options] and [QueueObserver.WrapNewQueue] decorate
// only the limiter that they receive. It passes all calls through. It returns nil for a nil l.
func (q *QueueObserver[R]) WrapRateLimiter(l workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimiter[R] {
	if q == nil || l == nil {
		return l
	}
	if t, ok := l.(*tracedRateLimiter[R]); ok && t.queue == q {
		return l
	}
	return &tracedRateLimiter[R]{l, q}
}

// Predicate returns a predicate that records the events of For and Owns as triggers, and accepts
// every event. Use it in the builder's WithEventFilter. If other predicates reject events, use it
// as the last predicate of each watch's WithPredicates. For Watches, prefer [WrapEventHandler].
//
// An event is the trigger of a request that is added without a delay within one second. The
// predicate remembers 1,024 events. An object without a valid context is a trigger without a link.
// Invalid contexts are not logged.
func (q *QueueObserver[R]) Predicate() predicate.Predicate {
	if q == nil {
		return predicate.Funcs{}
	}
	return triggerPredicate[R]{q}
}

// running returns the record of a request that is being reconciled, or nil.
func (q *QueueObserver[R]) running(item R) *run {
	if q == nil {
		return nil
	}
	return q.table.running(item)
}

// defaultNewQueue creates queues as controller-runtime does without NewQueue.
func defaultNewQueue[R comparable](o controller.TypedOptions[R]) func(string, workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimitingInterface[R] {
	return func(name string, l workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimitingInterface[R] {
		if !usesPriorityQueue(o, l) {
			return workqueue.NewTypedRateLimitingQueueWithConfig(l, workqueue.TypedRateLimitingQueueConfig[R]{Name: name})
		}
		logger := o.Logger
		if logger.GetSink() == nil {
			logger = log.Log // the manager's logger, if set
		}
		return priorityqueue.New(name, func(opts *priorityqueue.Opts[R]) {
			opts.Log = logger.WithValues("controller", name)
			opts.RateLimiter = l
		})
	}
}

// usesPriorityQueue reports whether controller-runtime would create a priority queue. It recognises
// the manager's setting only by the rate limiter that controller-runtime chose.
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
