package operators

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var staleList = Class{
	Name:  "stale-list",
	Bug:   "It creates a child with generateName whenever its cache contains none, and the cache may lag.",
	Buggy: cached(staleListBuggy),
	Fixed: cached(staleListFixed),
	Finds: []plan.Fault{plan.WatchDelay},
}

// recheck is the time after which an operator looks for its child again.
const recheck = 500 * time.Millisecond

func staleListBuggy(ctx context.Context, c client.Client, t *thing.Thing) (ctrl.Result, error) {
	children, err := t.Children(ctx, c)
	if err != nil || len(children) > 0 {
		return doneIf(ctx, c, t, err)
	}
	child := t.Owned("-")
	child.GenerateName, child.Name = child.Name, ""
	// That the cache has no child does not mean that there is none.
	return ctrl.Result{RequeueAfter: recheck}, c.Create(ctx, child)
}

func staleListFixed(ctx context.Context, c client.Client, t *thing.Thing) (ctrl.Result, error) {
	children, err := t.Children(ctx, c)
	if err != nil || len(children) > 0 {
		return doneIf(ctx, c, t, err)
	}
	// The API server knows whether there is a child with this name.
	err = c.Create(ctx, t.Owned("-child"))
	return ctrl.Result{RequeueAfter: recheck}, client.IgnoreAlreadyExists(err)
}

// doneIf completes the Thing if err is nil.
func doneIf(ctx context.Context, c client.Client, t *thing.Thing, err error) (ctrl.Result, error) {
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, t.Done(ctx, c)
}
