package faulttest_test

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest"
)

const (
	finalizer = "faults.example.com/finalizer"
	sizeKey   = "size"
	doneKey   = "done"
)

// reconciler keeps one Secret for each ConfigMap "web", copies the size to it, and then writes the
// size that is done to the ConfigMap.
type reconciler struct {
	client.Client

	// children is the bug, if it is not nil: the Secrets have generated names, which only the memory of
	// this process has.
	children map[types.NamespacedName]string
}

func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	owner := &corev1.ConfigMap{}
	if err := r.Get(ctx, req.NamespacedName, owner); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !owner.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.finalize(ctx, owner)
	}
	if controllerutil.AddFinalizer(owner, finalizer) {
		return ctrl.Result{}, r.Update(ctx, owner)
	}
	child, err := r.child(ctx, owner)
	if err != nil {
		return ctrl.Result{}, err
	}
	size := owner.Data[sizeKey]
	if string(child.Data[sizeKey]) != size {
		child.Data = map[string][]byte{sizeKey: []byte(size)}
		if err := r.Update(ctx, child); err != nil {
			return ctrl.Result{}, fmt.Errorf("updating the Secret: %w", err)
		}
	}
	if owner.Annotations[doneKey] == size {
		return ctrl.Result{}, nil
	}
	before := owner.DeepCopy()
	metav1.SetMetaDataAnnotation(&owner.ObjectMeta, doneKey, size)
	return ctrl.Result{}, r.Patch(ctx, owner, client.MergeFrom(before))
}

// child returns the Secret, and creates it if there is none.
func (r *reconciler) child(ctx context.Context, owner *corev1.ConfigMap) (*corev1.Secret, error) {
	child := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name}}
	key := client.ObjectKeyFromObject(child)
	if r.children != nil {
		if child.Name = r.children[key]; child.Name != "" {
			return child, r.Get(ctx, client.ObjectKeyFromObject(child), child)
		}
		child.GenerateName = owner.Name + "-"
	} else if err := r.Get(ctx, key, child); !apierrors.IsNotFound(err) {
		return child, err
	}
	if err := controllerutil.SetControllerReference(owner, child, r.Scheme()); err != nil {
		return nil, err
	}
	if err := r.Create(ctx, child); err != nil {
		return nil, fmt.Errorf("creating the Secret: %w", err)
	}
	if r.children != nil {
		r.children[key] = child.Name
	}
	return child, nil
}

func (r *reconciler) finalize(ctx context.Context, owner *corev1.ConfigMap) error {
	if !controllerutil.RemoveFinalizer(owner, finalizer) {
		return nil
	}
	if err := r.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(owner.Namespace)); err != nil {
		return err
	}
	return client.IgnoreNotFound(r.Update(ctx, owner))
}

// startWith runs a manager with a reconciler of ConfigMaps.
func startWith(create func(client.Client) reconcile.Reconciler) func(context.Context, *rest.Config) error {
	return func(ctx context.Context, cfg *rest.Config) error {
		mgr, err := ctrl.NewManager(cfg, ctrl.Options{
			Logger:     log.FromContext(ctx),
			Metrics:    server.Options{BindAddress: "0"},
			Controller: config.Controller{SkipNameValidation: new(true)},
		})
		if err != nil {
			return err
		}
		named := predicate.NewPredicateFuncs(func(o client.Object) bool { return o.GetName() == "web" })
		err = ctrl.NewControllerManagedBy(mgr).
			For(&corev1.ConfigMap{}, builder.WithPredicates(named)).
			Owns(&corev1.Secret{}).
			Complete(create(mgr.GetClient()))
		if err != nil {
			return err
		}
		return mgr.Start(ctx)
	}
}

func web(namespace, size string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"},
		Data:       map[string]string{sizeKey: size},
	}
}

// operator returns the operator with its steps, correct or with the bug.
func operator(buggy bool) faulttest.Operator {
	return faulttest.Operator{
		Start: startWith(func(c client.Client) reconcile.Reconciler {
			r := &reconciler{Client: c}
			if buggy {
				r.children = map[types.NamespacedName]string{}
			}
			return r
		}),
		Apply: func(ctx context.Context, c client.Client, namespace string) error {
			return c.Create(ctx, web(namespace, "1"))
		},
		Update: func(ctx context.Context, c client.Client, namespace string) error {
			patch := client.RawPatch("application/merge-patch+json", []byte(`{"data":{"size":"2"}}`))
			return c.Patch(ctx, web(namespace, ""), patch)
		},
		Ready: func(ctx context.Context, c client.Client, namespace string) (bool, error) {
			owner := web(namespace, "")
			if err := c.Get(ctx, client.ObjectKeyFromObject(owner), owner); err != nil {
				return false, err
			}
			if owner.Annotations[doneKey] != owner.Data[sizeKey] {
				return false, errors.New("the size is not done")
			}
			return true, nil
		},
	}
}
