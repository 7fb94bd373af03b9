package tracing

import (
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// WrapReconciler gives the reconciles of r spans.
func WrapReconciler(obj client.Object, r reconcile.Reconciler, opts ...Option) reconcile.Reconciler {
	return r
}

// WrapObjectReconciler is [WrapReconciler] for reconcilers that are handed the object.
func WrapObjectReconciler[T client.Object](r reconcile.ObjectReconciler[T], opts ...Option) reconcile.ObjectReconciler[T] {
	return r
}
