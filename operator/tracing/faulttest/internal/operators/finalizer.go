package operators

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var finalizer = Class{
	Name:  "finalizer-first",
	Bug:   "It removes the finalizer before the clean-up that the finalizer protects.",
	Buggy: simple(thing.Simple(finalizerBuggy)),
	Fixed: simple(thing.Simple(finalizerFixed)),
	Finds: []plan.Fault{plan.KillBefore, plan.KillAfter, plan.LostAnswer, plan.Refuse500},
}

const cleanUp = "faults.example.com/clean-up"

// ensureUnowned creates a child that only the finalizer cleans up.
func ensureUnowned(ctx context.Context, c client.Client, t *thing.Thing) error {
	if !controllerutil.ContainsFinalizer(t, cleanUp) {
		if err := t.Patch(ctx, c, func() { controllerutil.AddFinalizer(t, cleanUp) }); err != nil {
			return err
		}
	}
	if t.Status.Value == t.Spec.Value {
		return nil
	}
	if err := client.IgnoreAlreadyExists(c.Create(ctx, t.Unowned("-child"))); err != nil {
		return err
	}
	return t.Done(ctx, c)
}

func removeFinalizer(ctx context.Context, c client.Client, t *thing.Thing) error {
	if !controllerutil.ContainsFinalizer(t, cleanUp) {
		return nil
	}
	return client.IgnoreNotFound(t.Patch(ctx, c, func() { controllerutil.RemoveFinalizer(t, cleanUp) }))
}

func finalizerBuggy(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.DeletionTimestamp.IsZero() {
		return ensureUnowned(ctx, c, t)
	}
	if err := removeFinalizer(ctx, c, t); err != nil {
		return err
	}
	// The Thing is gone now. If this fails, the next reconcile finds no Thing and does nothing.
	return client.IgnoreNotFound(c.Delete(ctx, t.Unowned("-child")))
}

func finalizerFixed(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.DeletionTimestamp.IsZero() {
		return ensureUnowned(ctx, c, t)
	}
	if err := client.IgnoreNotFound(c.Delete(ctx, t.Unowned("-child"))); err != nil {
		return err
	}
	return removeFinalizer(ctx, c, t)
}
