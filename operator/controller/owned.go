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

// ownership is the relation between one object and the one object it must have.
type ownership struct {
	client client.Client
	scheme *runtime.Scheme
	owner  client.Object
	// owned carries namespace and name at first, and the stored object once
	// ensure returned without a verdict.
	owned client.Object
	// overlay sets the wanted fields on owned and touches no other.
	//
	// Drift is found by laying the wanted fields over a copy of the stored object
	// and comparing the two. A copy built from nothing would lack what the API
	// server defaults, and each new default of a later Kubernetes would start a
	// fight; a derivative comparison ignores wanted zero values and longer lists,
	// so it would miss a container put in by hand. A server-side dry run would be
	// exact too, at the price of a write request per pass.
	overlay func()
}

// ensure creates owned, or corrects it where it differs from what overlay wants.
// It never adopts or changes an object that belongs to somebody else.
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
	ctrl.LoggerFrom(ctx).Info("correcting", "object", o.describe(o.owned))
	return o.outcome("updating", o.client.Update(ctx, o.owned))
}

func (o ownership) create(ctx context.Context, name client.ObjectKey) (*verdict, error) {
	o.owned.SetNamespace(name.Namespace)
	o.owned.SetName(name.Name)
	o.overlay()
	if err := ctrl.SetControllerReference(o.owner, o.owned, o.scheme); err != nil {
		return nil, fmt.Errorf("setting the owner of %s: %w", o.describe(o.owned), err)
	}
	ctrl.LoggerFrom(ctx).Info("creating", "object", o.describe(o.owned))
	return o.outcome("creating", o.client.Create(ctx, o.owned))
}

// refuse says why the stored object must be left alone, or nothing.
func (o ownership) refuse() (*verdict, error) {
	controller := metav1.GetControllerOf(o.owned)
	switch {
	case controller != nil && controller.UID == o.owner.GetUID():
		if o.owned.GetDeletionTimestamp().IsZero() {
			return nil, nil
		}
		return &verdict{reason: v1alpha1.ReasonTerminating, message: o.describe(o.owned) + " is being deleted"}, nil

	case controller != nil && controller.Name == o.owner.GetName() && controller.Kind == o.kind(o.owner):
		// The owner was deleted and made again under its old name. The garbage
		// collector removes what the old one left, and its deletion wakes us.
		return &verdict{
			reason:  v1alpha1.ReasonTerminating,
			message: fmt.Sprintf("%s belongs to a deleted %s of the same name and is about to go", o.describe(o.owned), o.kind(o.owner)),
		}, nil

	default:
		err := fmt.Errorf("%s exists and is not controlled by %s: delete or rename one of the two",
			o.describe(o.owned), o.describe(o.owner))
		return &verdict{reason: v1alpha1.ReasonNameConflict, message: err.Error()}, err
	}
}

// outcome sorts the error of a write: none, nobody's fault, or worth telling.
func (o ownership) outcome(action string, err error) (*verdict, error) {
	switch {
	case err == nil:
		return nil, nil
	case namespaceEnding(err):
		return &verdict{reason: v1alpha1.ReasonTerminating, message: "namespace " + o.owner.GetNamespace() + " is being deleted"}, nil
	}
	err = fmt.Errorf("%s %s: %w", action, o.describe(o.owned), err)
	if lostRace(err) {
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
