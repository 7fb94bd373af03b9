package install

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// leavingLimit is how long a Pod that was told to end may take until its lease is left to run out.
const leavingLimit = 10 * time.Second

// FreeLeases deletes the leases of a Deployment's Pods that are gone. An operator that does not give its lease back when it ends,
// and few are told to, would block the next one for 15 seconds. Pods that are about to end are waited for, at most 10 s.
func FreeLeases(ctx context.Context, c *Cluster, deployment *appsv1.Deployment) error {
	if deployment.Spec.Template.Spec.HostNetwork {
		return nil // Holders are called by the node's name then.
	}
	waiting, cancel := context.WithTimeout(ctx, leavingLimit)
	defer cancel()
	err := poll(waiting, "waiting for the end of the operator's Pods", func(ctx context.Context) error { return freeLeases(ctx, c, deployment) })
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return nil // It runs out by itself.
	}
	return err
}

// freeLeases looks once. The error says which Pod holds its lease and has not ended.
func freeLeases(ctx context.Context, c *Cluster, deployment *appsv1.Deployment) error {
	leases := &coordinationv1.LeaseList{}
	if err := c.client.List(ctx, leases, client.InNamespace(deployment.Namespace)); err != nil {
		return fmt.Errorf("listing leases: %w", err)
	}
	for i := range leases.Items {
		lease := &leases.Items[i]
		if lease.Spec.HolderIdentity == nil {
			continue
		}
		// As controller-runtime has it: the Pod's name, and what makes it unique.
		holder, _, named := strings.Cut(*lease.Spec.HolderIdentity, "_")
		if !named || !strings.HasPrefix(holder, deployment.Name+"-") {
			continue
		}
		pod := &corev1.Pod{}
		err := c.client.Get(ctx, types.NamespacedName{Namespace: deployment.Namespace, Name: holder}, pod)
		switch {
		case apierrors.IsNotFound(err):
			held := client.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion} // Another may have taken it.
			if err := c.client.Delete(ctx, lease, held); err != nil && !gone(err) && !apierrors.IsConflict(err) {
				return fmt.Errorf("deleting lease %s: %w", lease.Name, err)
			}
		case err != nil:
			return fmt.Errorf("reading Pod %s: %w", holder, err)
		case pod.DeletionTimestamp != nil:
			return fmt.Errorf("the Pod %s holds the lease %s, and has not ended", holder, lease.Name)
		}
	}
	return nil
}
