package tracing

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
)

// decorate begins a new table for the queue, and decorates it.
func (q *QueueObserver[R]) decorate(inner workqueue.TypedRateLimitingInterface[R]) workqueue.TypedRateLimitingInterface[R] {
	if inner == nil {
		return nil
	}
	pq, ok := inner.(priorityqueue.PriorityQueue[R])
	q.table.open(ok)
	if !ok {
		return &tracedQueue[R]{inner, q}
	}
	return &tracedPriorityQueue[R]{tracedQueue[R]{inner, q}, pq}
}

// tracedQueue notes what happens to requests, always before the queue does it: a request that is added may
// be taken before Add returns, and one that is done may be taken again before Done returns.
type tracedQueue[R comparable] struct {
	workqueue.TypedRateLimitingInterface[R]

	queue *QueueObserver[R]
}

// Add implements workqueue.TypedInterface.
func (t *tracedQueue[R]) Add(item R) {
	t.queue.added(item, 0, false)
	t.TypedRateLimitingInterface.Add(item)
}

// AddAfter implements workqueue.TypedDelayingInterface.
func (t *tracedQueue[R]) AddAfter(item R, after time.Duration) {
	t.queue.added(item, after, false)
	t.TypedRateLimitingInterface.AddAfter(item, after)
}

// AddRateLimited implements workqueue.TypedRateLimitingInterface.
func (t *tracedQueue[R]) AddRateLimited(item R) {
	t.queue.added(item, 0, true)
	t.TypedRateLimitingInterface.AddRateLimited(item)
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
		q.table.forget(item) // noted while tracing was on
	default:
		q.table.take(item, t.NumRequeues(item)+1, q.cfg.now())
	}
}

func (q *QueueObserver[R]) added(item R, after time.Duration, limited bool) {
	if !q.cfg.off() {
		q.table.add(item, after, limited, q.cfg.now())
	}
}

// tracedPriorityQueue is a tracedQueue that is a priority queue, because the queue is one.
type tracedPriorityQueue[R comparable] struct {
	tracedQueue[R]

	inner priorityqueue.PriorityQueue[R]
}

var _ priorityqueue.PriorityQueue[string] = (*tracedPriorityQueue[string])(nil)

// AddWithOpts implements priorityqueue.PriorityQueue.
func (t *tracedPriorityQueue[R]) AddWithOpts(o priorityqueue.AddOpts, items ...R) {
	for _, item := range items {
		t.queue.added(item, o.After, o.RateLimited)
	}
	t.inner.AddWithOpts(o, items...)
}

// GetWithPriority implements priorityqueue.PriorityQueue.
func (t *tracedPriorityQueue[R]) GetWithPriority() (R, int, bool) {
	item, priority, shutdown := t.inner.GetWithPriority()
	t.took(item, shutdown)
	return item, priority, shutdown
}

// tracedRateLimiter tells when a request that is added rate limited will be ready. A rate limiting queue
// asks it while the request is added, a priority queue some time later.
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
