package tracing

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// mixed records writes with several effects.
func (r *everything) mixed() {
	both := func(d *appsv1.Deployment) {
		d.Spec.Paused = true
		controllerutil.AddFinalizer(d, ours)
		controllerutil.RemoveFinalizer(d, theirs)
	}
	server := func() client.Client {
		return newFakeServer(r.t, deployment("owner", func(d *appsv1.Deployment) { d.Finalizers = []string{theirs} }))
	}
	r.reconcile(server(), reconcile.Result{}, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		both(d)
		return c.Update(ctx, d)
	})
	r.reconcile(server(), reconcile.Result{}, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		before := d.DeepCopy()
		both(d)
		return c.Patch(ctx, d, client.MergeFrom(before))
	})
	r.reconcile(server(), reconcile.Result{}, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		spec := appsv1ac.DeploymentSpec().WithPaused(true)
		return c.Apply(ctx, appsv1ac.Deployment("owner", "ns").WithFinalizers(ours).WithSpec(spec), client.FieldOwner("test"), client.ForceOwnership)
	})
	for _, f := range []func(context.Context, client.Client, *unstructured.Unstructured) error{
		func(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
			makeReady(u)
			return c.Update(ctx, u)
		},
		func(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
			before := u.DeepCopy()
			makeReady(u)
			return c.Patch(ctx, u, client.MergeFrom(before))
		},
	} {
		r.reconcile(newFakeServer(r.t, deployment("owner"), thing()), reconcile.Result{}, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
			u := thing()
			if err := c.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
				return err
			}
			return f(ctx, c, u)
		})
	}
}

// controlled runs a reconcile and its retry in a real controller, which sets ids and has a queue.
func (r *everything) controlled() {
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	c := WrapClient(r.server(), r.opts...)
	tracked := NewQueueObserver(&appsv1.Deployment{}, r.opts...)
	done := make(chan struct{}, 1)
	wrapped := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		if err := c.Create(ctx, configMap("new")); err != nil { // the second reconcile
			return reconcile.Result{}, client.IgnoreAlreadyExists(err)
		}
		return reconcile.Result{RequeueAfter: 1}, nil
	}), append([]Option{WithQueueObserver(tracked)}, r.opts...)...)
	reconciles := 0
	k, err := controller.NewTypedUnmanaged("test", tracked.Options(controller.Options{
		SkipNameValidation: new(true),
		Reconciler: reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			if reconciles++; reconciles == 2 {
				defer func() { done <- struct{}{} }()
			}
			return wrapped.Reconcile(ctx, req)
		}),
	}))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := k.Watch(source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		for range 2 {
			owner := deployment("owner")
			tracked.Predicate().Create(event.CreateEvent{Object: owner})
			q.Add(requestFor(owner))
		}
		return nil
	})); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- k.Start(ctx) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		r.t.Error("the controller did not reconcile within 10 s")
	}
	cancel()
	if err := <-ended; err != nil {
		r.t.Error(err)
	}
}
