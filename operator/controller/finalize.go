package controller

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// finalize takes a Head's ChildA away, with all that belongs to it, and lets the
// Head go when that is gone. Its passes come from the deletion of the Head, and
// from what becomes of the ChildA.
//
// A Head without the finalizer is left alone: it was admitted while the webhook was
// away, or somebody took the finalizer off. Its ChildA is removed by garbage
// collection, and making a new one would hold that up.
func (r *HeadReconciler) finalize(ctx context.Context, head *v1alpha1.Head) error {
	if !controllerutil.ContainsFinalizer(head, v1alpha1.ChildAFinalizer) {
		return nil
	}
	if controllerutil.ContainsFinalizer(head, metav1.FinalizerOrphanDependents) {
		return nil // The user wants to keep the ChildA. It is about to lose its owner.
	}
	child := childOf(head)
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(child), child)
	switch {
	case apierrors.IsNotFound(err), err == nil && !metav1.IsControlledBy(child, head):
		return r.release(ctx, head)
	case err != nil:
		return fmt.Errorf("reading ChildA %s/%s: %w", child.Namespace, child.Name, err)
	case !child.DeletionTimestamp.IsZero():
		return nil
	}
	// In the foreground, so that a Head that is gone has left no pod behind.
	err = r.Client.Delete(ctx, child,
		client.PropagationPolicy(metav1.DeletePropagationForeground),
		client.Preconditions{UID: ptr.To(child.UID)})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting ChildA %s/%s: %w", child.Namespace, child.Name, err)
	}
	return nil
}

// release takes the finalizer off the Head. The lock on the resource version keeps
// the finalizers of others as they are now.
func (r *HeadReconciler) release(ctx context.Context, head *v1alpha1.Head) error {
	before := head.DeepCopy()
	controllerutil.RemoveFinalizer(head, v1alpha1.ChildAFinalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := client.IgnoreNotFound(r.Client.Patch(ctx, head, patch)); err != nil {
		return fmt.Errorf("removing finalizer %s from Head %s/%s: %w", v1alpha1.ChildAFinalizer, head.Namespace, head.Name, err)
	}
	return nil
}
