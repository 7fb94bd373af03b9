package controller

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
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

func controllerOptions() controller.Options {
	return controller.Options{
		RateLimiter:           workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		ReconciliationTimeout: passLimit,
	}
}
