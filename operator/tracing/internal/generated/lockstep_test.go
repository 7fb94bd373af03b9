package generated

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Limits of a run. An operator that exceeds them loops.
const (
	maxReconciles = 150
	maxRetries    = 8 // after each action of a user
	maxPeriods    = 1 // of delayed requests, after each action of a user
	resyncs       = 3 // at the end, without any change
)

// lockstep is a controller in a single goroutine. It reconciles one request, then delivers the
// events of all writes in order. Reads are live, so its run is deterministic.
type lockstep struct {
	*world

	program    *program
	reconciler reconcile.Reconciler
	fifo       *fifo
	queue      queue
	own, other []predicate.Predicate
	ofOwn      handler.EventHandler
	ofOther    handler.EventHandler
	reconciles int
}

func newLockstep(w *world) (*lockstep, error) {
	p, err := w.newProgram()
	if err != nil {
		return nil, err
	}
	l := &lockstep{world: w, program: p, reconciler: p, ofOwn: &handler.EnqueueRequestForObject{}}
	obj := newObject(w.Primary, w.Typed)
	l.ofOther = handler.EnqueueRequestForOwner(scheme, mapper, obj, handler.OnlyControllerOwner())
	if w.Watches {
		l.ofOther = handler.EnqueueRequestsFromMapFunc(ownerByLabel)
	}
	makeQueue := func(_ string, limiter workqueue.TypedRateLimiter[reconcile.Request]) queue {
		l.fifo = &fifo{log: w.log, limiter: limiter}
		if w.Priority {
			return priorityFIFO{l.fifo}
		}
		return l.fifo
	}
	if w.mode != plain {
		q := tracing.NewQueueObserver(obj, w.opts...)
		makeQueue = q.WrapNewQueue(makeQueue)
		if w.Watches {
			l.ofOther = tracing.WrapEventHandler(q, l.ofOther)
		}
		l.own, l.other = append(l.own, q.Predicate()), append(l.other, q.Predicate())
		opts := append([]tracing.Option{tracing.WithQueueObserver(q)}, w.opts...)
		l.reconciler = tracing.WrapReconciler(obj, p, opts...)
	}
	if w.Generation {
		l.own = append(l.own, predicate.GenerationChangedPredicate{})
	}
	l.queue = makeQueue("generated", workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Millisecond, time.Second))
	return l, nil
}

// ownerByLabel returns the request for the object in a child's label.
func ownerByLabel(_ context.Context, obj client.Object) []reconcile.Request {
	name := obj.GetLabels()[ownerLabel]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: obj.GetNamespace(), Name: name}}}
}

// run runs the actions of all users. It waits until the operator is idle after each action, and
// then checks that it stays idle.
func (l *lockstep) run(ctx context.Context) error {
	if err := l.create(ctx); err != nil {
		return err
	}
	l.settle(ctx)
	for _, verb := range l.Users {
		l.log.add("user: %s", verb)
		if err := l.edit(ctx, verb); err != nil {
			return fmt.Errorf("user's %s: %w", verb, err)
		}
		if verb == "resync" {
			l.resync()
		}
		l.settle(ctx)
	}
	for i := range 1 + resyncs { // the first round handles leftovers of predicates and errors
		before := l.ledger.count()
		l.log.add("resync")
		l.resync()
		l.settle(ctx)
		if n := l.ledger.count() - before; i > 0 && n > 0 {
			l.log.add("not at rest: %d changes", n)
		}
	}
	return nil
}

func (l *lockstep) resync() {
	for i := range l.Objects {
		l.queue.Add(reconcile.Request{NamespacedName: client.ObjectKey{Namespace: l.namespace, Name: objectName(i)}})
	}
}

// settle reconciles until no request is ready, and then the delayed requests, a limited number of
// times.
func (l *lockstep) settle(ctx context.Context) {
	for releases := 0; ; {
		l.deliver(ctx)
		switch {
		case l.log.hasDiverged():
			return
		case l.reconciles > maxReconciles:
			l.log.add("not at rest after %d reconciles", l.reconciles)
			return
		case len(l.fifo.ready) > 0:
			l.next(ctx)
		case len(l.fifo.later) > 0 && (releases < maxPeriods || l.fifo.failed && releases < maxRetries):
			releases++
			l.fifo.release()
		default:
			l.fifo.later, l.fifo.failed = nil, false
			return
		}
	}
}

// next handles the next request as controller-runtime does.
func (l *lockstep) next(ctx context.Context) {
	l.reconciles++
	var req reconcile.Request
	pq, isPriority := l.queue.(priorityqueue.PriorityQueue[reconcile.Request])
	if isPriority {
		req, _, _ = pq.GetWithPriority()
	} else {
		req, _ = l.queue.Get()
	}
	defer l.queue.Done(req)
	l.log.add("reconcile %s", req.Name)
	result, err := l.call(ctx, req)
	l.log.add("result %+v, error %v", result, err)
	switch limited := (err != nil && !errors.Is(err, reconcile.TerminalError(nil))) || (err == nil && result.RequeueAfter == 0 && result.Requeue); { //nolint:staticcheck // deprecated, and still used
	case limited && isPriority:
		pq.AddWithOpts(priorityqueue.AddOpts{RateLimited: true}, req)
	case limited:
		l.queue.AddRateLimited(req)
	case err != nil:
	case result.RequeueAfter > 0:
		l.queue.Forget(req)
		l.queue.AddAfter(req, result.RequeueAfter)
	default:
		l.queue.Forget(req)
	}
}

// call calls the reconciler and recovers from its panic.
func (l *lockstep) call(ctx context.Context, req reconcile.Request) (result reconcile.Result, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	result, err = l.reconciler.Reconcile(ctx, req)
	if result != l.program.result || err != l.program.err { //nolint:errorlint // the same error value
		l.log.add("the wrapper returned another result or error")
	}
	return result, err
}

// deliver delivers the events of all writes.
func (l *lockstep) deliver(ctx context.Context) {
	for _, c := range l.ledger.take() {
		predicates, handler := l.other, l.ofOther
		if c.object().GetKind() == l.Primary {
			predicates, handler = l.own, l.ofOwn
		}
		switch {
		case c.old == nil:
			if e := (event.CreateEvent{Object: c.new}); all(predicates, func(p predicate.Predicate) bool { return p.Create(e) }) {
				handler.Create(ctx, e, l.queue)
			}
		case c.new == nil:
			if e := (event.DeleteEvent{Object: c.old}); all(predicates, func(p predicate.Predicate) bool { return p.Delete(e) }) {
				handler.Delete(ctx, e, l.queue)
			}
		default:
			if e := (event.UpdateEvent{ObjectOld: c.old, ObjectNew: c.new}); all(predicates, func(p predicate.Predicate) bool { return p.Update(e) }) {
				handler.Update(ctx, e, l.queue)
			}
		}
	}
}

func all(predicates []predicate.Predicate, pass func(predicate.Predicate) bool) bool {
	for _, p := range predicates {
		if !pass(p) {
			return false
		}
	}
	return true
}
