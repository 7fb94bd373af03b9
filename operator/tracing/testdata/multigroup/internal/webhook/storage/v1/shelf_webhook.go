// Package v1 has the webhook of Shelf.
package v1

import (
	"context"
	"errors"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	storagev1 "example.com/shop-operator/api/storage/v1"
)

// ShelfValidator requires wood.
type ShelfValidator struct{}

// ValidateCreate implements admission.Validator.
func (ShelfValidator) ValidateCreate(_ context.Context, shelf *storagev1.Shelf) (admission.Warnings, error) {
	if shelf.Spec.Wood == "" {
		return nil, errors.New("spec.wood is required")
	}
	return nil, nil
}

// ValidateUpdate implements admission.Validator.
func (v ShelfValidator) ValidateUpdate(ctx context.Context, _, shelf *storagev1.Shelf) (admission.Warnings, error) {
	return v.ValidateCreate(ctx, shelf)
}

// ValidateDelete implements admission.Validator.
func (ShelfValidator) ValidateDelete(context.Context, *storagev1.Shelf) (admission.Warnings, error) {
	return nil, nil
}

// SetupShelfWebhookWithManager registers the webhook.
func SetupShelfWebhookWithManager(mgr ctrl.Manager) error {
	return ctrl.NewWebhookManagedBy(mgr, &storagev1.Shelf{}).WithValidator(ShelfValidator{}).Complete()
}
