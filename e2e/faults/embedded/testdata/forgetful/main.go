// Command forgetful is an operator with a bug that only fault runs find: it records the generated name
// of its child after the child was created. With the variable CAREFUL it finds the child by its owner instead.
package main

import (
	"context"
	"log"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// parent labels the ConfigMaps that get a child, and child is the annotation with its name.
const (
	parent = "forgetful.example.com/parent"
	child  = "forgetful.example.com/child"
)

type reconciler struct {
	client.Client

	reader  client.Reader // not cached
	careful bool
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	owner := &corev1.ConfigMap{}
	if err := r.Get(ctx, req.NamespacedName, owner); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if owner.Labels[parent] == "" || owner.Annotations[child] != "" || owner.DeletionTimestamp != nil {
		return ctrl.Result{}, nil
	}
	name, err := r.find(ctx, owner)
	if err != nil {
		return ctrl.Result{}, err
	}
	if name == "" {
		created := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, GenerateName: owner.Name + "-"}}
		if err := controllerutil.SetControllerReference(owner, created, r.Scheme()); err != nil {
			return ctrl.Result{}, err
		}
		if err := r.Create(ctx, created); err != nil {
			return ctrl.Result{}, err
		}
		name = created.Name
	}
	before := owner.DeepCopy()
	metav1.SetMetaDataAnnotation(&owner.ObjectMeta, child, name)
	return ctrl.Result{}, r.Patch(ctx, owner, client.MergeFrom(before))
}

// find returns the name of an existing child, or "".
func (r *reconciler) find(ctx context.Context, owner *corev1.ConfigMap) (string, error) {
	if !r.careful {
		return "", nil
	}
	list := &corev1.ConfigMapList{}
	if err := r.reader.List(ctx, list, client.InNamespace(owner.Namespace)); err != nil {
		return "", err
	}
	for i := range list.Items {
		if metav1.IsControlledBy(&list.Items[i], owner) {
			return list.Items[i].Name, nil
		}
	}
	return "", nil
}

func run() error {
	ctrl.SetLogger(zap.New())
	cfg, err := config.GetConfig()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		return err
	}
	r := &reconciler{Client: mgr.GetClient(), reader: mgr.GetAPIReader(), careful: os.Getenv("CAREFUL") != ""}
	if err := ctrl.NewControllerManagedBy(mgr).For(&corev1.ConfigMap{}).Complete(r); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
