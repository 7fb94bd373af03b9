package operators

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/uuid"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/operators/thing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

var lease = Class{
	Name:  "lease",
	Bug:   "It holds a lease in the name of its process. After a crash, the next process waits for it forever.",
	Buggy: thing.Program{Create: leaseBuggy},
	Fixed: simple(leaseFixed),
	Finds: []plan.Fault{plan.KillBefore, plan.KillAfter},
}

func leaseBuggy() thing.Reconcile {
	process := string(uuid.NewUUID())
	return func(ctx context.Context, c client.Client, t *thing.Thing) (ctrl.Result, error) {
		return createWithLease(ctx, c, t, process)
	}
}

func leaseFixed(ctx context.Context, c client.Client, t *thing.Thing) (ctrl.Result, error) {
	// The lease belongs to the work, and a second attempt continues it. A lease that expires is as good.
	return createWithLease(ctx, c, t, string(t.UID))
}

// createWithLease creates the child while it holds the lease.
func createWithLease(ctx context.Context, c client.Client, t *thing.Thing, holder string) (ctrl.Result, error) {
	if t.Status.Value == t.Spec.Value {
		return ctrl.Result{}, nil
	}
	err := c.Get(ctx, client.ObjectKeyFromObject(t.Owned("-child")), &corev1.ConfigMap{})
	if apierrors.IsNotFound(err) {
		held, err := acquire(ctx, c, t, holder)
		if err != nil || !held {
			return ctrl.Result{RequeueAfter: 200 * time.Millisecond}, err
		}
		if err := client.IgnoreAlreadyExists(c.Create(ctx, t.Owned("-child"))); err != nil {
			return ctrl.Result{}, err
		}
	} else if err != nil {
		return ctrl.Result{}, err
	}
	if held, err := holds(ctx, c, t, holder); err != nil || !held {
		return doneIf(ctx, c, t, err)
	}
	return doneIf(ctx, c, t, client.IgnoreNotFound(c.Delete(ctx, t.Owned("-lease"))))
}

// acquire creates the lease unless another holder has it.
func acquire(ctx context.Context, c client.Client, t *thing.Thing, holder string) (bool, error) {
	object := t.Owned("-lease")
	object.Data = map[string]string{"holder": holder}
	err := c.Create(ctx, object)
	if apierrors.IsAlreadyExists(err) {
		return holds(ctx, c, t, holder)
	}
	return err == nil, err
}

func holds(ctx context.Context, c client.Client, t *thing.Thing, holder string) (bool, error) {
	object := &corev1.ConfigMap{}
	err := c.Get(ctx, client.ObjectKeyFromObject(t.Owned("-lease")), object)
	return err == nil && object.Data["holder"] == holder, client.IgnoreNotFound(err)
}
