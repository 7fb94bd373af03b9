package tracing

import (
	"context"
	"net/url"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	clientmetrics "k8s.io/client-go/tools/metrics"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// causes records a reconcile that another write caused, unchanged writes, stale reads, and waits.
func (r *everything) causes() {
	now, stale := time.Now(), false
	opts := slices.Concat(r.opts, []Option{optionFunc(func(c *config) {
		c.now = func() time.Time { now = now.Add(2 * minWait); return now }
	})})
	server := interceptor.NewClient(newFakeServer(r.t, deployment("owner"), deployment("child")), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, obj, opts...)
			if stale && key.Name == "child" {
				obj.SetResourceVersion("1")
			}
			return err
		},
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			clientmetrics.RateLimiterLatency.Observe(ctx, "POST", url.URL{}, 5*minWait)
			return c.Create(ctx, obj, opts...)
		},
	})
	newConfig(opts).causes.forget()
	c := WrapClient(server, opts...)
	c.(*tracedWatcher).consistent = true
	child := deployment("child")
	q := NewTypedQueueObserver(func(client.Object) []reconcile.Request { return []reconcile.Request{requestFor(deployment("owner"))} }, opts...)
	q.table.open(true)
	run := func(f func(context.Context, *appsv1.Deployment) error) {
		q.Predicate().Update(event.UpdateEvent{ObjectOld: child, ObjectNew: child})
		q.table.add(requestFor(deployment("owner")), 0, false, now)
		q.table.take(requestFor(deployment("owner")), 1, now)
		wrapped := WrapReconciler(child, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			var owner appsv1.Deployment
			if err := c.Get(ctx, req.NamespacedName, &owner); err != nil {
				return reconcile.Result{}, err
			}
			return reconcile.Result{}, f(ctx, &owner)
		}), append(opts, WithQueueObserver(q))...)
		if _, err := wrapped.Reconcile(r.t.Context(), requestFor(deployment("owner"))); err != nil {
			r.t.Error(err)
		}
	}
	run(func(ctx context.Context, _ *appsv1.Deployment) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(child), child); err != nil {
			return err
		}
		child.Spec.Paused = true
		return c.Update(ctx, child)
	})
	stale = true
	run(func(ctx context.Context, owner *appsv1.Deployment) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(child), &appsv1.Deployment{}); err != nil {
			return err
		}
		before := owner.DeepCopy()
		if err := c.Patch(ctx, owner, client.MergeFrom(before)); err != nil {
			return err
		}
		return c.Create(ctx, configMap("limited"))
	})
}
