package webhook

import (
	"context"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// The webhook only makes operations visible, so Heads must get through when it is
// away: hence Ignore, and a limit short enough that nobody notices the wait.
//
// +kubebuilder:webhook:path=/mutate-dummy-example-com-v1alpha1-head,mutating=true,failurePolicy=ignore,sideEffects=None,timeoutSeconds=2,reinvocationPolicy=Never,matchPolicy=Equivalent,groups=dummy.example.com,resources=heads,verbs=create;update,versions=v1alpha1,name=head.dummy.example.com,admissionReviewVersions=v1

// HeadDefaulter is what a Head's admission does besides tracing: a new Head gets
// the finalizer by which it takes its ChildA with it, see package controller. A
// controller that added it would write each Head once more. The zero value is
// ready and safe for concurrent use.
type HeadDefaulter struct{}

var _ admission.Defaulter[*v1alpha1.Head] = HeadDefaulter{}

// Default changes a Head that is being created, and leaves it as it is in every
// other request: who takes the finalizer off means it. It never fails.
func (HeadDefaulter) Default(ctx context.Context, head *v1alpha1.Head) error {
	if req, err := admission.RequestFromContext(ctx); err == nil && req.Operation == admissionv1.Create {
		controllerutil.AddFinalizer(head, v1alpha1.ChildAFinalizer)
	}
	return nil
}

// SetupHead serves the admission of Heads on the manager's webhook server. The
// defaulter is a HeadDefaulter, or a wrapper around one. What withHeader makes of
// an HTTP request is the context that the defaulter gets; nil leaves it alone.
func SetupHead(
	mgr ctrl.Manager,
	defaulter admission.Defaulter[*v1alpha1.Head],
	withHeader func(context.Context, *http.Request) context.Context,
) error {
	err := ctrl.NewWebhookManagedBy(mgr, &v1alpha1.Head{}).
		WithDefaulter(defaulter).
		WithContextFunc(withHeader).
		Complete()
	if err != nil {
		return fmt.Errorf("registering the webhook for Head: %w", err)
	}
	return nil
}
