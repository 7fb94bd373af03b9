// Package services has a controller that is wired by hand.
package services

import (
	"context"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

const port = "example.com/port"

// Add adds the controller to a manager. It watches Deployments, Services by a function, and Secrets by an informer and a channel.
func Add(ctx context.Context, mgr manager.Manager) error {
	c, err := controller.New("services", mgr, controller.Options{Reconciler: &reconciler{mgr.GetClient()}})
	if err != nil {
		return err
	}
	rotated := make(chan event.GenericEvent)
	for _, s := range []source.Source{
		source.Kind(mgr.GetCache(), &appsv1.Deployment{}, &handler.TypedEnqueueRequestForObject[*appsv1.Deployment]{}),
		source.Kind(mgr.GetCache(), &corev1.Service{}, handler.TypedEnqueueRequestsFromMapFunc(deploymentOf)),
		source.Channel(rotated, &handler.EnqueueRequestForObject{}),
	} {
		if err := c.Watch(s); err != nil {
			return err
		}
	}
	secrets, err := mgr.GetCache().GetInformer(ctx, &corev1.Secret{})
	if err != nil {
		return err
	}
	_, err = secrets.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: func(obj any) {
		select {
		case rotated <- event.GenericEvent{Object: obj.(*corev1.Secret)}:
		case <-ctx.Done():
		}
	}})
	return err
}

func deploymentOf(_ context.Context, s *corev1.Service) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: s.Namespace, Name: s.Spec.Selector["deployment"]}}}
}

type reconciler struct{ client.Client }

// Reconcile applies the Service of a Deployment. The Secret of the same name, if there is one, is its key.
func (r *reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var d appsv1.Deployment
	if err := r.Get(ctx, req.NamespacedName, &d); err != nil || d.Annotations[port] == "" {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	number, err := strconv.ParseInt(d.Annotations[port], 10, 32)
	if err != nil {
		return reconcile.Result{}, reconcile.TerminalError(fmt.Errorf("annotation %s: %w", port, err))
	}
	key := "none"
	var secret corev1.Secret
	if err := r.Get(ctx, req.NamespacedName, &secret); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	} else if err == nil {
		key = secret.Name
	}
	var now corev1.Service
	if err := r.Get(ctx, client.ObjectKey{Namespace: d.Namespace, Name: d.Name + "-svc"}, &now); client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	} else if err == nil && now.Labels["key"] == key {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, r.Apply(ctx, corev1ac.Service(d.Name+"-svc", d.Namespace).
		WithLabels(map[string]string{"key": key}).
		WithOwnerReferences(metav1ac.OwnerReference().WithAPIVersion("apps/v1").WithKind("Deployment").WithName(d.Name).WithUID(d.UID)).
		WithSpec(corev1ac.ServiceSpec().WithSelector(map[string]string{"deployment": d.Name}).
			WithPorts(corev1ac.ServicePort().WithPort(int32(number)))), client.FieldOwner("service-operator"), client.ForceOwnership)
}
