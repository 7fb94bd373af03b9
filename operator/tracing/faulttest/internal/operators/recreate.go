package operators

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var recreate = Class{
	Name:    "recreate",
	Bug:     "It deletes a child by name and creates it again. With a stale cache it deletes the new child too.",
	Buggy:   cached(recreateBuggy),
	Fixed:   cached(recreateFixed),
	Updates: true,
	Finds:   []plan.Fault{plan.WatchDelay},
}

// current returns the immutable child from the cache, or nil if the cache has none.
func current(ctx context.Context, c client.Client, t *thing.Thing) (*corev1.ConfigMap, error) {
	child := &corev1.ConfigMap{}
	err := c.Get(ctx, client.ObjectKeyFromObject(t.Owned("-child")), child)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return child, err
}

// createImmutable creates the child, whose value only another child can change.
func createImmutable(ctx context.Context, c client.Client, t *thing.Thing) (ctrl.Result, error) {
	child := t.Owned("-child")
	child.Immutable = new(true)
	return ctrl.Result{RequeueAfter: recheck}, client.IgnoreAlreadyExists(c.Create(ctx, child))
}

func recreateBuggy(ctx context.Context, c client.Client, t *thing.Thing) (ctrl.Result, error) {
	child, err := current(ctx, c, t)
	if err != nil || child != nil && child.Data["value"] == t.Spec.Value {
		return doneIf(ctx, c, t, err)
	}
	if child != nil {
		// The child of this name may be a later one than the cache's.
		if err := client.IgnoreNotFound(c.Delete(ctx, child)); err != nil {
			return ctrl.Result{}, err
		}
	}
	return createImmutable(ctx, c, t)
}

func recreateFixed(ctx context.Context, c client.Client, t *thing.Thing) (ctrl.Result, error) {
	child, err := current(ctx, c, t)
	if err != nil || child != nil && child.Data["value"] == t.Spec.Value {
		return doneIf(ctx, c, t, err)
	}
	if child == nil {
		return createImmutable(ctx, c, t)
	}
	// The UID restricts the delete to the child that was judged. Its watch event leads to the create.
	err = c.Delete(ctx, child, client.Preconditions{UID: &child.UID})
	return ctrl.Result{RequeueAfter: recheck}, client.IgnoreNotFound(err)
}
