package webhook

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// The API server must accept Heads while the webhook is down. The failure policy is therefore Ignore, and
// the timeout is short. Under 5 s, a busy node would admit Heads without a trace context.
//
// +kubebuilder:webhook:path=/mutate-dummy-example-com-v1alpha1-head,mutating=true,failurePolicy=ignore,sideEffects=None,timeoutSeconds=5,reinvocationPolicy=Never,matchPolicy=Equivalent,groups=dummy.example.com,resources=heads,verbs=create;update,versions=v1alpha1,name=head.dummy.example.com,admissionReviewVersions=v1

// HeadDefaulter adds a finalizer to new Heads, so that the controller can delete their ChildA with them;
// see package controller. If the controller added the finalizer, it would write each Head once more. The
// zero value is ready to use and safe for concurrent use.
type HeadDefaulter struct{}

var _ admission.Defaulter[*v1alpha1.Head] = HeadDefaulter{}

// Default adds the finalizer if the request creates the Head. It does not change the Head in any
// other request, so that a user can remove the finalizer. It always returns nil.
func (HeadDefaulter) Default(ctx context.Context, head *v1alpha1.Head) error {
	if req, err := admission.RequestFromContext(ctx); err == nil && req.Operation == admissionv1.Create {
		controllerutil.AddFinalizer(head, v1alpha1.ChildAFinalizer)
	}
	return nil
}

// SetupHead registers a HeadDefaulter on the webhook server of mgr. It returns an error if the scheme of
// mgr does not contain Head.
func SetupHead(mgr ctrl.Manager) error {
	err := ctrl.NewWebhookManagedBy(mgr, &v1alpha1.Head{}).WithDefaulter(HeadDefaulter{}).Complete()
	if err != nil {
		return fmt.Errorf("registering the webhook for Head: %w", err)
	}
	return nil
}
