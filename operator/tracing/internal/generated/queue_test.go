package generated

import (
	"slices"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// fifo is a work queue without time. It returns requests in the order of their adds, and holds
// delayed requests until the driver releases them. It is for a single goroutine.
type fifo struct {
	log     *transcript
	limiter workqueue.TypedRateLimiter[reconcile.Request]
	ready   []reconcile.Request
	later   []reconcile.Request
	failed  bool // later contains a retry
}

var _ workqueue.TypedRateLimitingInterface[reconcile.Request] = (*fifo)(nil)

// Add implements workqueue.TypedInterface.
func (f *fifo) Add(req reconcile.Request) {
	f.log.add("queue: add %s", req.Name)
	if !slices.Contains(f.ready, req) {
		f.ready = append(f.ready, req)
	}
}

// AddAfter implements workqueue.TypedDelayingInterface.
func (f *fifo) AddAfter(req reconcile.Request, after time.Duration) {
	f.log.add("queue: add %s after %s", req.Name, after)
	if !slices.Contains(f.later, req) {
		f.later = append(f.later, req)
	}
}

// AddRateLimited implements workqueue.TypedRateLimitingInterface.
func (f *fifo) AddRateLimited(req reconcile.Request) {
	f.log.add("queue: rate limited %s after %s", req.Name, f.limiter.When(req))
	f.failed = true
	if !slices.Contains(f.later, req) {
		f.later = append(f.later, req)
	}
}

// Get implements workqueue.TypedInterface. It must not be called while no request is ready.
func (f *fifo) Get() (reconcile.Request, bool) {
	req := f.ready[0]
	f.ready = f.ready[1:]
	return req, false
}

// Done implements workqueue.TypedInterface.
func (f *fifo) Done(req reconcile.Request) { f.log.add("queue: done %s", req.Name) }

// Forget implements workqueue.TypedRateLimitingInterface.
func (f *fifo) Forget(req reconcile.Request) {
	f.log.add("queue: forget %s", req.Name)
	f.limiter.Forget(req)
}

// NumRequeues implements workqueue.TypedRateLimitingInterface.
func (f *fifo) NumRequeues(req reconcile.Request) int { return f.limiter.NumRequeues(req) }

// Len implements workqueue.TypedInterface.
func (f *fifo) Len() int { return len(f.ready) }

// ShutDown implements workqueue.TypedInterface.
func (f *fifo) ShutDown() {}

// ShutDownWithDrain implements workqueue.TypedInterface.
func (f *fifo) ShutDownWithDrain() {}

// ShuttingDown implements workqueue.TypedInterface.
func (f *fifo) ShuttingDown() bool { return false }

// release makes the delayed requests ready.
func (f *fifo) release() {
	for _, req := range f.later {
		if !slices.Contains(f.ready, req) {
			f.ready = append(f.ready, req)
		}
	}
	f.later, f.failed = nil, false
}

// priorityFIFO is a fifo with the methods of a priority queue. All requests have the same priority.
type priorityFIFO struct{ *fifo }

var _ priorityqueue.PriorityQueue[reconcile.Request] = priorityFIFO{}

// AddWithOpts implements priorityqueue.PriorityQueue.
func (f priorityFIFO) AddWithOpts(o priorityqueue.AddOpts, reqs ...reconcile.Request) {
	for _, req := range reqs {
		switch {
		case o.RateLimited:
			f.AddRateLimited(req)
		case o.After > 0:
			f.AddAfter(req, o.After)
		default:
			f.Add(req)
		}
	}
}

// GetWithPriority implements priorityqueue.PriorityQueue.
func (f priorityFIFO) GetWithPriority() (reconcile.Request, int, bool) {
	req, shutdown := f.Get()
	return req, 0, shutdown
}
