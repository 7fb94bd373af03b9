package operators

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var ownerless = Class{
	Name:  "ownerless-child",
	Bug:   "It creates a child and sets its owner with a second write. If that is lost, no delete collects the child.",
	Buggy: simple(thing.Simple(ownerlessBuggy)),
	Fixed: simple(thing.Simple(ownerlessFixed)),
	Finds: []plan.Fault{plan.KillBefore, plan.KillAfter, plan.LostAnswer, plan.Refuse500},
}

func ownerlessBuggy(ctx context.Context, c client.Client, t *thing.Thing) error {
	child := &corev1.ConfigMap{}
	err := c.Get(ctx, client.ObjectKeyFromObject(t.Unowned("-child")), child)
	if apierrors.IsNotFound(err) {
		child = t.Unowned("-child")
		if err := c.Create(ctx, child); err != nil {
			return err
		}
		// If this fails, the next attempt finds the child and takes it for complete.
		child.OwnerReferences = []metav1.OwnerReference{t.Owner()}
		err = c.Update(ctx, child)
	}
	if err != nil {
		return err
	}
	return t.Done(ctx, c)
}

func ownerlessFixed(ctx context.Context, c client.Client, t *thing.Thing) error {
	if t.Status.Value == t.Spec.Value {
		return nil
	}
	// Owned has the owner reference, so the child never exists without it.
	if err := client.IgnoreAlreadyExists(c.Create(ctx, t.Owned("-child"))); err != nil {
		return err
	}
	return t.Done(ctx, c)
}
