package thing

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest"
)

// Reconcile is the business logic of an operator. It gets Things that exist, as they are stored.
type Reconcile func(ctx context.Context, c client.Client, t *Thing) (ctrl.Result, error)

// Simple adapts a function that never asks for a later reconcile.
func Simple(f func(ctx context.Context, c client.Client, t *Thing) error) Reconcile {
	return func(ctx context.Context, c client.Client, t *Thing) (ctrl.Result, error) {
		return ctrl.Result{}, f(ctx, c, t)
	}
}

// Program starts an operator. It reconciles only the Things with its name, so that several programs can run on
// one cluster. Create returns its reconciler; each start calls it once, so variables of
// Create are the memory of one process.
type Program struct {
	Name   string
	Create func() Reconcile
	// Cached selects the manager's client, which reads ConfigMaps from a cache. By default, all reads ask
	// the API server. Then the sequence of writes does not depend on the lag of a cache.
	Cached bool
}

// Operator returns the program with a Thing that gets the value v1. If updates is set, it gets the value v2
// later.
func (p Program) Operator(updates bool) faulttest.Operator {
	get := func(ctx context.Context, c client.Client, namespace string) (*Thing, error) {
		t := &Thing{}
		return t, c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: p.Name}, t)
	}
	op := faulttest.Operator{
		Start: p.Start,
		Apply: func(ctx context.Context, c client.Client, namespace string) error {
			return c.Create(ctx, &Thing{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: p.Name}, Spec: Spec{Value: "v1"}})
		},
		Ready: func(ctx context.Context, c client.Client, namespace string) (bool, error) {
			t, err := get(ctx, c, namespace)
			return err == nil && t.Status.Value == t.Spec.Value, err
		},
	}
	if updates {
		op.Update = func(ctx context.Context, c client.Client, namespace string) error {
			t, err := get(ctx, c, namespace)
			if err != nil {
				return err
			}
			return t.Patch(ctx, c, func() { t.Spec.Value = "v2" })
		}
	}
	return op
}

// Start runs the operator until ctx is cancelled.
func (p Program) Start(ctx context.Context, cfg *rest.Config) error {
	scheme, err := NewScheme()
	if err != nil {
		return err
	}
	opts := ctrl.Options{
		Scheme:                  scheme,
		Logger:                  log.FromContext(ctx),
		Metrics:                 server.Options{BindAddress: "0"},
		GracefulShutdownTimeout: new(time.Duration(0)),
		Controller:              config.Controller{SkipNameValidation: new(true)},
		Client:                  client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&Thing{}}}},
	}
	if !p.Cached {
		opts.Client.Cache.DisableFor = append(opts.Client.Cache.DisableFor, &corev1.ConfigMap{})
	}
	mgr, err := ctrl.NewManager(cfg, opts)
	if err != nil {
		return fmt.Errorf("creating the manager: %w", err)
	}
	err = ctrl.NewControllerManagedBy(mgr).Named("thing").For(&Thing{}).Owns(&corev1.ConfigMap{}).
		WithOptions(controller.Options{
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](20*time.Millisecond, time.Second),
		}).Complete(reconciler{name: p.Name, client: mgr.GetClient(), run: p.Create()})
	if err != nil {
		return fmt.Errorf("creating the controller: %w", err)
	}
	return mgr.Start(ctx)
}

type reconciler struct {
	name   string
	client client.Client
	run    Reconcile
}

func (r reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if req.Name != r.name {
		return ctrl.Result{}, nil
	}
	t := &Thing{}
	if err := r.client.Get(ctx, req.NamespacedName, t); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return r.run(ctx, r.client, t)
}
