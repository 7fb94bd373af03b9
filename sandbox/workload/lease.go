package workload

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

	"github.com/operator-tracing/sandbox/sandbox/apply"
)

// terminationLimit limits the wait for Pods that terminate. After it, their leases must expire.
const terminationLimit = 10 * time.Second

// FreeLeases deletes the leases of a Deployment's Pods that are gone. Few operators release their
// lease when they stop, and a lease blocks the next Pod for 15 s. FreeLeases waits at most 10 s for
// Pods that terminate; it returns nil if they take longer.
func FreeLeases(ctx context.Context, c *apply.Cluster, deployment *appsv1.Deployment) error {
	if deployment.Spec.Template.Spec.HostNetwork {
		return nil // The holders then have the name of the node.
	}
	limited, cancel := context.WithTimeout(ctx, terminationLimit)
	defer cancel()
	err := apply.Poll(limited, "waiting for the termination of the operator's Pods", func(ctx context.Context) error {
		return freeLeases(ctx, c, deployment)
	})
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil // The lease expires.
	}
	return err
}

// freeLeases deletes leases once. The error names a terminating Pod that still holds its lease.
func freeLeases(ctx context.Context, c *apply.Cluster, deployment *appsv1.Deployment) error {
	leases := &coordinationv1.LeaseList{}
	if err := c.Client().List(ctx, leases, client.InNamespace(deployment.Namespace)); err != nil {
		return fmt.Errorf("listing leases: %w", err)
	}
	for i := range leases.Items {
		lease := &leases.Items[i]
		if lease.Spec.HolderIdentity == nil {
			continue
		}
		// The format of controller-runtime is NAME_UUID, with the name of the Pod.
		holder, _, named := strings.Cut(*lease.Spec.HolderIdentity, "_")
		if !named || !strings.HasPrefix(holder, deployment.Name+"-") {
			continue
		}
		pod := &corev1.Pod{}
		err := c.Client().Get(ctx, types.NamespacedName{Namespace: deployment.Namespace, Name: holder}, pod)
		switch {
		case apierrors.IsNotFound(err):
			// Another Pod may hold the lease by now.
			held := client.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion}
			if err := c.Client().Delete(ctx, lease, held); err != nil && !apply.Gone(err) && !apierrors.IsConflict(err) {
				return fmt.Errorf("deleting lease %s: %w", lease.Name, err)
			}
		case err != nil:
			return fmt.Errorf("reading Pod %s: %w", holder, err)
		case pod.DeletionTimestamp != nil:
			return fmt.Errorf("the terminating Pod %s still holds the lease %s", holder, lease.Name)
		}
	}
	return nil
}
