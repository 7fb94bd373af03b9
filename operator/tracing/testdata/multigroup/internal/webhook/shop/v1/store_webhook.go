// Package v1 has the webhook of Store.
package v1

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"

	shopv1 "example.com/shop-operator/api/shop/v1"
)

// StoreDefaulter sets the city.
type StoreDefaulter struct{}

// Default implements admission.Defaulter.
func (StoreDefaulter) Default(_ context.Context, store *shopv1.Store) error {
	if store.Spec.City == "" {
		store.Spec.City = "Bern"
	}
	return nil
}

// SetupStoreWebhookWithManager registers the webhook.
func SetupStoreWebhookWithManager(mgr ctrl.Manager) error {
	return ctrl.NewWebhookManagedBy(mgr, &shopv1.Store{}).WithDefaulter(StoreDefaulter{}).Complete()
}
