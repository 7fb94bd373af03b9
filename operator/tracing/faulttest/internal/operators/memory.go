package operators

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var memory = Class{
	Name:    "memory",
	Bug:     "It remembers in a variable what to delete after an update, and a restart forgets it.",
	Buggy:   thing.Program{Create: memoryBuggy},
	Fixed:   simple(thing.Simple(memoryFixed)),
	Updates: true,
	Finds:   []plan.Fault{plan.KillBefore, plan.KillAfter},
}

func memoryBuggy() thing.Reconcile {
	previous := map[types.UID]string{} // the child of the last value
	return func(ctx context.Context, c client.Client, t *thing.Thing) (ctrl.Result, error) {
		if t.Status.Value == t.Spec.Value {
			return ctrl.Result{}, nil
		}
		child := t.Owned("-" + t.Spec.Value)
		if err := client.IgnoreAlreadyExists(c.Create(ctx, child)); err != nil {
			return ctrl.Result{}, err
		}
		if err := deleteChild(ctx, c, t, previous[t.UID], child.Name); err != nil {
			return ctrl.Result{}, err
		}
		previous[t.UID] = child.Name
		return ctrl.Result{}, t.Done(ctx, c)
	}
}

func memoryFixed(ctx context.Context, c client.Client, t *thing.Thing) error {
	child := t.Owned("-" + t.Spec.Value)
	if t.Status.Child == child.Name {
		return nil
	}
	if err := client.IgnoreAlreadyExists(c.Create(ctx, child)); err != nil {
		return err
	}
	// The status names the previous child until that is deleted.
	if err := deleteChild(ctx, c, t, t.Status.Child, child.Name); err != nil {
		return err
	}
	return t.SetStatus(ctx, c, thing.Status{Child: child.Name, Value: t.Spec.Value})
}

// deleteChild deletes the ConfigMap name unless it is the current one or has no name.
func deleteChild(ctx context.Context, c client.Client, t *thing.Thing, name, current string) error {
	if name == "" || name == current {
		return nil
	}
	old := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: name}}
	return client.IgnoreNotFound(c.Delete(ctx, old))
}
