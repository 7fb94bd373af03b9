// Package controller has the reconciler of Cache.
package controller

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"example.com/cache-operator/api/v1alpha1"
)

// CacheReconciler makes one Deployment for each Cache.
type CacheReconciler struct {
	client.Client
	Scheme *runtime.Scheme
}

// +kubebuilder:rbac:groups=cache.example.com,resources=caches,verbs=get;list;watch
// +kubebuilder:rbac:groups=cache.example.com,resources=caches/status,verbs=update
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;update

// Reconcile implements reconcile.Reconciler.
func (r *CacheReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	cache := &v1alpha1.Cache{}
	if err := r.Get(ctx, req.NamespacedName, cache); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: cache.Namespace, Name: cache.Name}}
	done, err := controllerutil.CreateOrUpdate(ctx, r.Client, deployment, func() error {
		r.shape(deployment, cache)
		return controllerutil.SetControllerReference(cache, deployment, r.Scheme)
	})
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("writing Deployment %s: %w", req, err)
	}
	if done != controllerutil.OperationResultNone {
		logf.FromContext(ctx).Info("Wrote the Deployment", "operation", done)
	}
	if !meta.SetStatusCondition(&cache.Status.Conditions, ready(cache, deployment)) {
		return ctrl.Result{}, nil
	}
	if err := r.Status().Update(ctx, cache); err != nil {
		return ctrl.Result{}, fmt.Errorf("writing the status of Cache %s: %w", req, err)
	}
	return ctrl.Result{}, nil
}

// shape sets what the Cache decides about its Deployment, and keeps the API server's defaults.
func (r *CacheReconciler) shape(deployment *appsv1.Deployment, cache *v1alpha1.Cache) {
	labels := map[string]string{"app.kubernetes.io/name": "cache", "app.kubernetes.io/instance": cache.Name}
	deployment.Spec.Replicas = &cache.Spec.Replicas
	deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	deployment.Spec.Template.Labels = labels
	pod := &deployment.Spec.Template.Spec
	if len(pod.Containers) == 0 {
		pod.Containers = []corev1.Container{{Name: "cache"}}
	}
	pod.Containers[0].Image = cache.Spec.Image
}

// ready says whether as many servers run as the Cache wants.
func ready(cache *v1alpha1.Cache, deployment *appsv1.Deployment) metav1.Condition {
	condition := metav1.Condition{
		Type: "Ready", Status: metav1.ConditionFalse, Reason: "Starting",
		Message: "servers are starting", ObservedGeneration: cache.Generation,
	}
	if deployment.Status.ObservedGeneration == deployment.Generation && deployment.Status.AvailableReplicas >= cache.Spec.Replicas {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionTrue, "Available", "all servers run"
	}
	return condition
}

// SetupWithManager registers the reconciler.
func (r *CacheReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Cache{}).
		Owns(&appsv1.Deployment{}).
		Named("cache").
		Complete(r)
}
