package operators

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var conflict = Class{
	Name:  "ignored-conflict",
	Bug:   "It takes a conflict as harmless and goes on as if the update was stored.",
	Buggy: simple(thing.Simple(conflictBuggy)),
	Fixed: simple(thing.Simple(conflictFixed)),
	Finds: []plan.Fault{plan.Refuse409},
}

// ensureFilled creates a child without a value, and updates it with the value.
func ensureFilled(ctx context.Context, c client.Client, t *thing.Thing) error {
	child := &corev1.ConfigMap{}
	err := c.Get(ctx, client.ObjectKeyFromObject(t.Owned("-child")), child)
	if apierrors.IsNotFound(err) {
		child = t.Owned("-child")
		child.Data = nil
		err = c.Create(ctx, child)
	}
	if err != nil || child.Data["value"] == t.Spec.Value {
		return err
	}
	child.Data = map[string]string{"value": t.Spec.Value}
	return c.Update(ctx, child)
}

func conflictBuggy(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.Status.Value == t.Spec.Value {
		return nil
	}
	if err := ensureFilled(ctx, c, t); err != nil && !apierrors.IsConflict(err) {
		return err
	}
	// After a conflict the child has no value, but the status claims that it has.
	return t.Done(ctx, c)
}

func conflictFixed(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.Status.Value == t.Spec.Value {
		return nil
	}
	if err := ensureFilled(ctx, c, t); err != nil {
		return err // controller-runtime requeues the Thing, and the next attempt reads the child again
	}
	return t.Done(ctx, c)
}
