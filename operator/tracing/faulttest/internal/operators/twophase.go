package operators

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var twoPhase = Class{
	Name:    "two-phase",
	Bug:     "It moves data to a new child and deletes the old child before the new one is stored.",
	Buggy:   simple(thing.Simple(twoPhaseBuggy)),
	Fixed:   simple(thing.Simple(twoPhaseFixed)),
	Updates: true,
	Finds:   []plan.Fault{plan.KillBefore, plan.KillAfter, plan.LostAnswer, plan.Refuse500},
}

// origin returns the data that a new child must take over from the previous one. A first child has its own
// value as origin.
func origin(ctx context.Context, c client.Client, t *thing.Thing) (string, error) {
	if t.Status.Child == "" {
		return t.Spec.Value, nil
	}
	old := &corev1.ConfigMap{}
	err := c.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: t.Status.Child}, old)
	if apierrors.IsNotFound(err) {
		return t.Spec.Value, nil
	}
	return old.Data["origin"], err
}

func createFrom(ctx context.Context, c client.Client, t *thing.Thing, origin string) error {
	child := t.Owned("-" + t.Spec.Value)
	child.Data["origin"] = origin
	return client.IgnoreAlreadyExists(c.Create(ctx, child))
}

func twoPhaseBuggy(ctx context.Context, c client.Client, t *thing.Thing) error {
	child := t.Owned("-" + t.Spec.Value)
	if t.Status.Child == child.Name {
		return nil
	}
	from, err := origin(ctx, c, t)
	if err != nil {
		return err
	}
	// From here until the create, the origin exists only in this variable.
	if err := deleteChild(ctx, c, t, t.Status.Child, child.Name); err != nil {
		return err
	}
	if err := createFrom(ctx, c, t, from); err != nil {
		return err
	}
	return t.SetStatus(ctx, c, thing.Status{Child: child.Name, Value: t.Spec.Value})
}

func twoPhaseFixed(ctx context.Context, c client.Client, t *thing.Thing) error {
	child := t.Owned("-" + t.Spec.Value)
	if t.Status.Child == child.Name {
		return nil
	}
	from, err := origin(ctx, c, t)
	if err != nil {
		return err
	}
	if err := createFrom(ctx, c, t, from); err != nil {
		return err
	}
	if err := deleteChild(ctx, c, t, t.Status.Child, child.Name); err != nil {
		return err
	}
	return t.SetStatus(ctx, c, thing.Status{Child: child.Name, Value: t.Spec.Value})
}
