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

// finalize deletes the ChildA of a Head, and removes the Head's finalizer when the ChildA does not exist any
// more. It runs when the Head is deleted, and after each event of the ChildA.
//
// It does nothing for a Head without the finalizer. Such a Head was admitted while the webhook was down, or
// a user removed the finalizer. The garbage collector then deletes its ChildA.
func (r *HeadReconciler) finalize(ctx context.Context, head *v1alpha1.Head) error {
	if !controllerutil.ContainsFinalizer(head, v1alpha1.ChildAFinalizer) {
		return nil
	}
	if controllerutil.ContainsFinalizer(head, metav1.FinalizerOrphanDependents) {
		return nil // The user keeps the ChildA, and the garbage collector removes its owner.
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
	// In the foreground, so that all pods are deleted before the Head is.
	err = r.Client.Delete(ctx, child,
		client.PropagationPolicy(metav1.DeletePropagationForeground),
		client.Preconditions{UID: ptr.To(child.UID)})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting ChildA %s/%s: %w", child.Namespace, child.Name, err)
	}
	return nil
}

// release removes the finalizer of the Head. The lock on the resource version protects the finalizers of other
// controllers.
func (r *HeadReconciler) release(ctx context.Context, head *v1alpha1.Head) error {
	before := head.DeepCopy()
	controllerutil.RemoveFinalizer(head, v1alpha1.ChildAFinalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := client.IgnoreNotFound(r.Client.Patch(ctx, head, patch)); err != nil {
		return fmt.Errorf("removing finalizer %s from Head %s/%s: %w", v1alpha1.ChildAFinalizer, head.Namespace, head.Name, err)
	}
	return nil
}
