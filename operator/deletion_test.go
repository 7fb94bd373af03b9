package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// deleteHead deletes the Head. After the operator has deleted the ChildA in the foreground, deleteHead acts as
// the garbage collector.
func (f *family) deleteHead(t *testing.T) {
	t.Helper()
	if err := f.admin.Delete(t.Context(), f.head); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the ChildA is being deleted in the foreground", func(ctx context.Context) error {
		err := f.admin.Get(ctx, client.ObjectKeyFromObject(f.child), f.child)
		if err == nil && !controllerutil.ContainsFinalizer(f.child, metav1.FinalizerDeleteDependents) {
			err = fmt.Errorf("its finalizers are %v", f.child.Finalizers)
		}
		return err
	})
	f.get(t, f.head) // its finalizer keeps it
	if err := f.admin.Delete(t.Context(), f.deployment); err != nil {
		t.Fatal(err)
	}
	f.change(t, f.child, func() { f.child.Finalizers = nil })
	eventually(t, "the Head does not exist", func(ctx context.Context) error {
		err := f.admin.Get(ctx, client.ObjectKeyFromObject(f.head), f.head)
		if err == nil {
			err = fmt.Errorf("its finalizers are %v", f.head.Finalizers)
		}
		return client.IgnoreNotFound(err)
	})
}

func TestDeletedHeadWaitsForItsChild(t *testing.T) {
	f := newReadyFamily(t)
	if diff := cmp.Diff([]string{v1alpha1.ChildAFinalizer}, f.head.Finalizers); diff != "" {
		t.Errorf("finalizers of an admitted Head (-want +got):\n%s", diff)
	}
	f.deleteHead(t)
}

// TestRemovedFinalizerStaysRemoved checks that neither the webhook nor the controller adds a finalizer again
// that a user removed.
func TestRemovedFinalizerStaysRemoved(t *testing.T) {
	f := newReadyFamily(t)
	f.change(t, f.head, func() { f.head.Finalizers = nil })
	f.change(t, f.head, func() { f.head.Spec.ChildA = "example.com/image:2" })
	f.headIs(t, false, v1alpha1.ReasonChildNotReady)
	if len(f.head.Finalizers) > 0 {
		t.Errorf("finalizers are %v, want none", f.head.Finalizers)
	}
	if err := f.admin.Delete(t.Context(), f.head); err != nil {
		t.Fatal(err)
	}
	if err := f.admin.Get(t.Context(), client.ObjectKeyFromObject(f.head), f.head); !apierrors.IsNotFound(err) {
		t.Errorf("reading the Head: error = %v, want NotFound", err)
	}
}
