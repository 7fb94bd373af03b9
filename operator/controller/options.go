package controller

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// firstRetry and lastRetry limit the exponential backoff after an error. The default of
	// controller-runtime ends at 16 minutes, which is too long for a user after the removal of the
	// cause.
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Minute

	// reconcileLimit is the timeout of one reconcile. A read may wait until the cache contains the
	// operator's last write, so a broken watch must not block a worker forever.
	reconcileLimit = time.Minute
)

// options returns the options of both controllers. Each call creates a rate limiter, because controllers
// must not share one.
func options() controller.Options {
	return controller.Options{
		RateLimiter:           workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		ReconciliationTimeout: reconcileLimit,
	}
}
