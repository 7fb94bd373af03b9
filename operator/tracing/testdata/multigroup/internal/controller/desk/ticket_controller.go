// Package desk has the controller of Ticket.
package desk

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	deskv1 "example.com/shop-operator/api/desk/v1"
)

// TicketReconciler sees to Tickets at once.
type TicketReconciler struct{ client.Client }

// Reconcile implements reconcile.Reconciler.
func (r *TicketReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	ticket := &deskv1.Ticket{}
	if err := r.Get(ctx, req.NamespacedName, ticket); err != nil || ticket.Status.Done {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	ticket.Status.Done = true
	return ctrl.Result{}, r.Status().Update(ctx, ticket)
}

// SetupWithManager registers the reconciler.
func (r *TicketReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).For(&deskv1.Ticket{}).Complete(r)
}
