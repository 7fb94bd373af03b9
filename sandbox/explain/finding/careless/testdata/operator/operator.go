// Package operator reconciles Heads, with three defects that are common in tutorials, or without them.
package operator

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// Reconciler creates a Deployment for each Head.
type Reconciler struct {
	client.Client
	// Careful corrects the defects.
	Careful bool
}

// SetupWithManager registers the reconciler.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	skip := true
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.Head{}).Owns(&appsv1.Deployment{}).
		WithOptions(controller.Options{SkipNameValidation: &skip}).Complete(r)
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	head := &v1alpha1.Head{}
	if err := r.Get(ctx, req.NamespacedName, head); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if len(head.Status.Conditions) == 0 {
		if err := r.start(ctx, head); err != nil {
			return ctrl.Result{}, err
		}
	}
	deployment := &appsv1.Deployment{}
	switch err := r.Get(ctx, req.NamespacedName, deployment); {
	case apierrors.IsNotFound(err):
		err = r.Create(ctx, deploymentOf(head))
		if r.Careful && apierrors.IsAlreadyExists(err) {
			err = nil
		}
		if err != nil { // Defect: the cache may not have the Deployment of the last reconcile.
			return ctrl.Result{}, fmt.Errorf("creating the Deployment: %w", err)
		}
		if r.Careful { // The event of the Deployment triggers the next reconcile.
			return ctrl.Result{}, nil
		}
	case err != nil:
		return ctrl.Result{}, err
	}
	changed := meta.SetStatusCondition(&head.Status.Conditions, metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Created", Message: "the Deployment exists"})
	if r.Careful && !changed {
		return ctrl.Result{}, nil
	}
	if err := r.Status().Update(ctx, head); err != nil { // Defect: also without a change.
		return ctrl.Result{}, fmt.Errorf("writing the status: %w", err)
	}
	return ctrl.Result{}, nil
}

// start sets the first condition.
func (r *Reconciler) start(ctx context.Context, head *v1alpha1.Head) error {
	meta.SetStatusCondition(&head.Status.Conditions, metav1.Condition{Type: "Ready", Status: metav1.ConditionUnknown, Reason: "Starting", Message: "the work has started"})
	if err := r.Status().Update(ctx, head); err != nil {
		return fmt.Errorf("writing the first status: %w", err)
	}
	if r.Careful {
		return nil
	}
	return r.Get(ctx, client.ObjectKeyFromObject(head), head) // Defect: the cache does not have the write yet.
}

func deploymentOf(head *v1alpha1.Head) *appsv1.Deployment {
	labels := map[string]string{"app": head.Name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: head.Namespace, Name: head.Name,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(head, v1alpha1.GroupVersion.WithKind("Head"))},
		},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: head.Spec.ChildA}}},
			},
		},
	}
}
