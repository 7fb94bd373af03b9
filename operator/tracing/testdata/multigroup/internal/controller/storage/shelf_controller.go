// Package storage has the controller of Shelf.
package storage

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	deskv1 "example.com/shop-operator/api/desk/v1"
	storagev1 "example.com/shop-operator/api/storage/v1"
)

// ShelfReconciler makes one Ticket for each Shelf, and waits for it.
type ShelfReconciler struct{ client.Client }

// Reconcile implements reconcile.Reconciler.
func (r *ShelfReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	shelf := &storagev1.Shelf{}
	if err := r.Get(ctx, req.NamespacedName, shelf); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	ticket := &deskv1.Ticket{}
	ticket.Namespace, ticket.Name = shelf.Namespace, shelf.Name
	_, err := controllerutil.CreateOrUpdate(ctx, r.Client, ticket, func() error {
		ticket.Spec.Text = shelf.Spec.Wood
		return controllerutil.SetControllerReference(shelf, ticket, r.Scheme())
	})
	if err != nil || shelf.Status.Ready == ticket.Status.Done {
		return ctrl.Result{}, err
	}
	shelf.Status.Ready = ticket.Status.Done
	return ctrl.Result{}, r.Status().Update(ctx, shelf)
}

// SetupWithManager registers the reconciler.
func (r *ShelfReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).For(&storagev1.Shelf{}).Owns(&deskv1.Ticket{}).Complete(r)
}
