package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// +kubebuilder:rbac:groups=dummy.example.com,resources=childas/status,verbs=patch
// +kubebuilder:rbac:groups=dummy.example.com,resources=childas/finalizers,verbs=update
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=create;list;update;watch

// ChildAReconciler keeps one Deployment for each ChildA of a Head or a user. Both fields are required. It is
// safe for concurrent use if its client is.
type ChildAReconciler struct {
	// Client reads from a cache and writes to the API server.
	Client client.Client
	// Scheme must contain ChildA and Deployment.
	Scheme *runtime.Scheme
}

// SetupWithManager adds a controller to mgr that reconciles a ChildA when it or its Deployment changes. It
// returns an error if the scheme of mgr does not contain both kinds.
func (r *ChildAReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("childa").
		For(&v1alpha1.ChildA{}).
		Owns(&appsv1.Deployment{}).
		WithOptions(options()).
		Complete(r)
}

// Reconcile creates or corrects the Deployment of a ChildA, and copies the readiness of the Deployment to the
// ChildA. It returns nil if the ChildA does not exist or is being deleted.
func (r *ChildAReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	child := &v1alpha1.ChildA{}
	if err := r.Client.Get(ctx, req.NamespacedName, child); err != nil {
		if client.IgnoreNotFound(err) == nil {
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("reading ChildA %s: %w", req, err)
	}
	if !child.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}

	before := child.DeepCopy()
	defer func() {
		statusErr := patchStatus(ctx, r.Client, before, child, before.Status, child.Status)
		result, err = conclude(ctx, err, statusErr)
	}()

	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Namespace: child.Namespace,
		Name:      ownedName(child.Name, ""),
	}}
	return ctrl.Result{}, runSteps(ctx, &child.Status, child.Generation, []step{
		r.ensureDeployment(child, deployment),
		r.mirrorDeployment(deployment),
	})
}

func (r *ChildAReconciler) ensureDeployment(child *v1alpha1.ChildA, deployment *appsv1.Deployment) step {
	return ownership{
		client:  r.Client,
		scheme:  r.Scheme,
		owner:   child,
		owned:   deployment,
		overlay: func() { overlayDeployment(deployment, child.Spec.Image) },
	}.ensure
}

func (r *ChildAReconciler) mirrorDeployment(deployment *appsv1.Deployment) step {
	return func(context.Context) (*verdict, error) {
		v := judgeDeployment(deployment)
		return &v, nil
	}
}
