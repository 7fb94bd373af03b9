package tracing

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestQueueOfAChannel: a source whose handler is wrapped, and maps an event to many requests.
func TestQueueOfAChannel(t *testing.T) {
	underBothQueues(t, func(t *testing.T, priority bool) {
		var c controlled
		events := make(chan event.TypedGenericEvent[*appsv1.Deployment])
		lazy := handler.TypedFuncs[*appsv1.Deployment, string]{
			GenericFunc: func(ctx context.Context, e event.TypedGenericEvent[*appsv1.Deployment], q workqueue.TypedRateLimitingInterface[string]) {
				// The handler does not know its queue before the controller starts.
				mapped := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, d *appsv1.Deployment) []string {
					return strings.Split(d.Name, "-")
				})
				WrapEventHandler(c.queue, mapped).Generic(ctx, e, q)
			},
		}
		c.source = source.TypedChannel(events, lazy)
		c.start(t, priority, func(context.Context, string) (reconcile.Result, error) { return reconcile.Result{}, nil })
		defer c.stop()
		events <- event.TypedGenericEvent[*appsv1.Deployment]{Object: deployment("x-y", carries(sampledContext(1), 0))}
		synctest.Wait()
		for _, name := range []string{"x", "y"} {
			sameReconciles(t, []map[attribute.Key]any{{
				ReconcileAttemptKey: int64(1), ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "generic Deployment",
			}}, c.reconciles(name))
			if links := c.reconcileSpans(name)[0].Links; len(links) != 1 || !sameSpan(links[0].SpanContext, sampledContext(1)) {
				t.Errorf("the links of %s are %v", name, links)
			}
		}
	})
}

// TestSamplersSeeTheEvents: links count only if they are there before the span starts.
func TestSamplersSeeTheEvents(t *testing.T) {
	var seen []trace.Link
	tp := tracingtest.NewTracerProvider(tracingtest.WithSampler(func(s tracingtest.Start) bool {
		if s.Name == "reconcile Deployment" {
			seen = s.Links
		}
		return true
	}))
	q := NewQueue(&appsv1.Deployment{}, WithTracerProvider(tp))
	wq := q.WrapNewQueue(nil)("", nil)
	defer wq.ShutDown()
	owner := deployment("owner", carries(sampledContext(1), 0))
	q.Predicate().Create(event.CreateEvent{Object: owner})
	wq.Add(requestFor(owner))
	c := WrapClient(newFakeServer(t, deployment("owner", carries(sampledContext(2), 0))), WithTracerProvider(tp))
	r := WrapReconciler(owner, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		if err := c.Get(ctx, req.NamespacedName, owner); err != nil {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, c.Create(ctx, configMap("child"))
	}), WithTracerProvider(tp), WithQueue(q))
	req, _ := wq.Get()
	if _, err := r.Reconcile(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	wq.Done(req)
	isChildOf(t, spanNamed(t, tp.Spans(), "reconcile Deployment"), sampledContext(2))
	if len(seen) != 1 || !sameSpan(seen[0].SpanContext, sampledContext(1)) {
		t.Errorf("the sampler saw the links %v, want the superseded context", seen)
	}
}
