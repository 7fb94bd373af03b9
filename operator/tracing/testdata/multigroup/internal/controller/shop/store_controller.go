// Package shop has the controller of Store.
package shop

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	shopv1 "example.com/shop-operator/api/shop/v1"
	storagev1 "example.com/shop-operator/api/storage/v1"
)

// StoreReconciler makes one Shelf for each Store, and waits for it.
type StoreReconciler struct{ client.Client }

// Reconcile implements reconcile.Reconciler.
func (r *StoreReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	store := &shopv1.Store{}
	if err := r.Get(ctx, req.NamespacedName, store); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	shelf := &storagev1.Shelf{}
	shelf.Namespace, shelf.Name = store.Namespace, store.Name
	_, err := controllerutil.CreateOrUpdate(ctx, r.Client, shelf, func() error {
		shelf.Spec.Wood = store.Spec.City
		return controllerutil.SetControllerReference(store, shelf, r.Scheme())
	})
	if err != nil || store.Status.Open == shelf.Status.Ready {
		return ctrl.Result{}, err
	}
	store.Status.Open = shelf.Status.Ready
	return ctrl.Result{}, r.Status().Update(ctx, store)
}

// SetupWithManager registers the reconciler.
func (r *StoreReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).For(&shopv1.Store{}).Owns(&storagev1.Shelf{}).Complete(r)
}
