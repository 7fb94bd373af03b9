package tracing

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
)

// beforeAdd is called before a request is added to a queue. after is the delay; limited means that
// the rate limiter decides the delay.
type beforeAdd[R comparable] func(item R, after time.Duration, limited bool)

// observeAdds returns a queue that calls before in front of each add, because a worker may take a
// request before Add returns. The result is a priority queue if and only if the queue is one. It
// returns nil for a nil queue.
func observeAdds[R comparable](inner workqueue.TypedRateLimitingInterface[R], before beforeAdd[R]) workqueue.TypedRateLimitingInterface[R] {
	if inner == nil {
		return nil
	}
	q := observedAdds[R]{inner, before}
	if pq, ok := inner.(priorityqueue.PriorityQueue[R]); ok {
		return &observedPriorityAdds[R]{q, pq}
	}
	return &q
}

type observedAdds[R comparable] struct {
	workqueue.TypedRateLimitingInterface[R]
	before beforeAdd[R]
}

// Add implements workqueue.TypedInterface.
func (q *observedAdds[R]) Add(item R) {
	q.before(item, 0, false)
	q.TypedRateLimitingInterface.Add(item)
}

// AddAfter implements workqueue.TypedDelayingInterface.
func (q *observedAdds[R]) AddAfter(item R, after time.Duration) {
	q.before(item, after, false)
	q.TypedRateLimitingInterface.AddAfter(item, after)
}

// AddRateLimited implements workqueue.TypedRateLimitingInterface.
func (q *observedAdds[R]) AddRateLimited(item R) {
	q.before(item, 0, true)
	q.TypedRateLimitingInterface.AddRateLimited(item)
}

type observedPriorityAdds[R comparable] struct {
	observedAdds[R]
	inner priorityqueue.PriorityQueue[R]
}

var _ priorityqueue.PriorityQueue[string] = (*observedPriorityAdds[string])(nil)

// AddWithOpts implements priorityqueue.PriorityQueue.
func (q *observedPriorityAdds[R]) AddWithOpts(o priorityqueue.AddOpts, items ...R) {
	for _, item := range items {
		q.before(item, o.After, o.RateLimited)
	}
	q.inner.AddWithOpts(o, items...)
}

// GetWithPriority implements priorityqueue.PriorityQueue.
func (q *observedPriorityAdds[R]) GetWithPriority() (R, int, bool) { return q.inner.GetWithPriority() }

// decorate starts a new table for the queue, and decorates the queue.
func (q *QueueObserver[R]) decorate(inner workqueue.TypedRateLimitingInterface[R]) workqueue.TypedRateLimitingInterface[R] {
	if inner == nil {
		return nil
	}
	t := tracedQueue[R]{observeAdds(inner, q.added), q}
	pq, ok := t.TypedRateLimitingInterface.(priorityqueue.PriorityQueue[R])
	q.table.open(ok)
	if !ok {
		return &t
	}
	return &tracedPriorityQueue[R]{t, pq}
}

// tracedQueue records each call before it passes it on, because a worker may take a request again
// before Done returns.
type tracedQueue[R comparable] struct {
	workqueue.TypedRateLimitingInterface[R]

	queue *QueueObserver[R]
}

// Get implements workqueue.TypedInterface.
func (t *tracedQueue[R]) Get() (R, bool) {
	item, shutdown := t.TypedRateLimitingInterface.Get()
	t.took(item, shutdown)
	return item, shutdown
}

// Done implements workqueue.TypedInterface.
func (t *tracedQueue[R]) Done(item R) {
	t.queue.table.done(item)
	t.TypedRateLimitingInterface.Done(item)
}

// ShutDown implements workqueue.TypedInterface.
func (t *tracedQueue[R]) ShutDown() {
	t.queue.table.close()
	t.TypedRateLimitingInterface.ShutDown()
}

// ShutDownWithDrain implements workqueue.TypedInterface.
func (t *tracedQueue[R]) ShutDownWithDrain() {
	t.queue.table.close()
	t.TypedRateLimitingInterface.ShutDownWithDrain()
}

func (t *tracedQueue[R]) took(item R, shutdown bool) {
	switch q := t.queue; {
	case shutdown:
	case q.cfg.off():
		q.table.forget(item) // recorded while tracing was on
	default:
		q.table.take(item, t.NumRequeues(item)+1, q.cfg.now())
	}
}

func (q *QueueObserver[R]) added(item R, after time.Duration, limited bool) {
	if !q.cfg.off() {
		q.table.add(item, after, limited, q.cfg.now())
	}
}

// tracedPriorityQueue is a tracedQueue for a priority queue.
type tracedPriorityQueue[R comparable] struct {
	tracedQueue[R]

	inner priorityqueue.PriorityQueue[R]
}

var _ priorityqueue.PriorityQueue[string] = (*tracedPriorityQueue[string])(nil)

// AddWithOpts implements priorityqueue.PriorityQueue.
func (t *tracedPriorityQueue[R]) AddWithOpts(o priorityqueue.AddOpts, items ...R) {
	t.inner.AddWithOpts(o, items...)
}

// GetWithPriority implements priorityqueue.PriorityQueue.
func (t *tracedPriorityQueue[R]) GetWithPriority() (R, int, bool) {
	item, priority, shutdown := t.inner.GetWithPriority()
	t.took(item, shutdown)
	return item, priority, shutdown
}

// tracedRateLimiter records when a rate-limited request will be ready. A rate limiting queue calls
// it during the add, a priority queue some time later.
type tracedRateLimiter[R comparable] struct {
	workqueue.TypedRateLimiter[R]

	queue *QueueObserver[R]
}

// When implements workqueue.TypedRateLimiter.
func (l *tracedRateLimiter[R]) When(item R) time.Duration {
	d := l.TypedRateLimiter.When(item)
	if q := l.queue; !q.cfg.off() {
		q.table.limited(item, q.cfg.now().Add(d))
	}
	return d
}
