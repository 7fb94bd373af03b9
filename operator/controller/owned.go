package controller

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// ownership is the relation between an owner and its only owned object.
type ownership struct {
	client client.Client
	scheme *runtime.Scheme
	owner  client.Object
	// owned contains namespace and name at first. It is the stored object after ensure has returned
	// no verdict.
	owned client.Object
	// overlay sets the wanted fields of owned and changes no others.
	//
	// To detect drift, ensure applies overlay to a copy of the stored object and compares the two. An
	// object without the stored fields would lack the API server's defaults, so each new default of
	// a later Kubernetes would cause endless updates. A derivative comparison ignores zero values and
	// longer lists, so it would miss a container that a user added. A server-side dry run would be exact
	// too, but would cost a write request in each reconcile.
	overlay func()
}

// ensure creates owned, or updates the fields that differ from overlay. It never adopts or changes an object
// with another controller or without one.
func (o ownership) ensure(ctx context.Context) (*verdict, error) {
	name := client.ObjectKeyFromObject(o.owned)
	err := o.client.Get(ctx, name, o.owned)
	if apierrors.IsNotFound(err) {
		return o.create(ctx, name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", o.describe(o.owned), err)
	}
	if v, err := o.refuse(); v != nil {
		return v, err
	}

	stored := o.owned.DeepCopyObject()
	o.overlay()
	if equality.Semantic.DeepEqual(stored, o.owned) {
		return nil, nil
	}
	ctrl.LoggerFrom(ctx).Info("Updating", "object", o.describe(o.owned))
	return o.outcome("updating", o.client.Update(ctx, o.owned))
}

func (o ownership) create(ctx context.Context, name client.ObjectKey) (*verdict, error) {
	o.owned.SetNamespace(name.Namespace)
	o.owned.SetName(name.Name)
	o.overlay()
	if err := ctrl.SetControllerReference(o.owner, o.owned, o.scheme); err != nil {
		return nil, fmt.Errorf("setting the owner of %s: %w", o.describe(o.owned), err)
	}
	ctrl.LoggerFrom(ctx).Info("Creating", "object", o.describe(o.owned))
	return o.outcome("creating", o.client.Create(ctx, o.owned))
}

// refuse returns why the operator must not change the stored object, or nil.
func (o ownership) refuse() (*verdict, error) {
	controller := metav1.GetControllerOf(o.owned)
	switch {
	case controller != nil && controller.UID == o.owner.GetUID():
		if o.owned.GetDeletionTimestamp().IsZero() {
			return nil, nil
		}
		return &verdict{reason: v1alpha1.ReasonTerminating, message: o.describe(o.owned) + " is being deleted"}, nil

	case controller != nil && controller.Name == o.owner.GetName() && controller.Kind == o.kind(o.owner):
		// The owner was deleted and created again with the same name. The garbage collector deletes the
		// object of the old owner, and the event of that deletion starts a reconcile.
		return &verdict{
			reason:  v1alpha1.ReasonTerminating,
			message: fmt.Sprintf("%s belongs to a deleted %s of the same name; waiting for the garbage collector", o.describe(o.owned), o.kind(o.owner)),
		}, nil

	default:
		err := fmt.Errorf("%s exists and is not controlled by %s; delete or rename one of the two",
			o.describe(o.owned), o.describe(o.owner))
		return &verdict{reason: v1alpha1.ReasonNameConflict, message: err.Error()}, err
	}
}

// outcome returns the verdict for the error of a write. A conflict has no verdict.
func (o ownership) outcome(action string, err error) (*verdict, error) {
	switch {
	case err == nil:
		return nil, nil
	case namespaceEnding(err):
		return &verdict{reason: v1alpha1.ReasonTerminating, message: "namespace " + o.owner.GetNamespace() + " is being deleted"}, nil
	}
	err = fmt.Errorf("%s %s: %w", action, o.describe(o.owned), err)
	if isConflict(err) {
		return nil, err
	}
	return &verdict{reason: v1alpha1.ReasonWriteFailed, message: err.Error()}, err
}

func (o ownership) describe(obj client.Object) string {
	return o.kind(obj) + " " + client.ObjectKeyFromObject(obj).String()
}

func (o ownership) kind(obj client.Object) string {
	gvk, err := apiutil.GVKForObject(obj, o.scheme)
	if err != nil {
		return fmt.Sprintf("%T", obj)
	}
	return gvk.Kind
}
