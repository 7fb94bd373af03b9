package controller

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// firstRetry and lastRetry bound the wait after an error, which doubles from
	// one to the other. controller-runtime's own bound is 16 minutes; a person who
	// has just removed what stood in the way should not wait that long.
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Minute

	// passLimit bounds one pass. Reads may wait for the cache to show the
	// operator's last write, so a broken watch must not hold a worker for ever.
	passLimit = time.Minute
)

// Wiring is what whoever assembles the operator adds around a controller: nothing
// that a reconciler needs to know. The zero value adds nothing.
type Wiring struct {
	// Options gets this package's options and returns those to use; nil leaves them
	// as they are.
	Options func(controller.Options) controller.Options
	// Predicates are asked about each event of everything that the controller watches.
	Predicates []predicate.Predicate
}

func (w Wiring) options() controller.Options {
	o := controller.Options{
		RateLimiter:           workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		ReconciliationTimeout: passLimit,
	}
	if w.Options == nil {
		return o
	}
	return w.Options(o)
}

// filter is Predicates as one, since the builder takes one for all watches at a time.
func (w Wiring) filter() predicate.Predicate { return predicate.And(w.Predicates...) }
