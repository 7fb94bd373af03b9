package tracing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestQueueOfAChannel: a source with a wrapped handler that maps an event to many requests.
func TestQueueOfAChannel(t *testing.T) {
	underBothQueues(t, func(t *testing.T, priority bool) {
		var c controlled
		events := make(chan event.TypedGenericEvent[*appsv1.Deployment])
		lazy := handler.TypedFuncs[*appsv1.Deployment, string]{
			GenericFunc: func(ctx context.Context, e event.TypedGenericEvent[*appsv1.Deployment], q workqueue.TypedRateLimitingInterface[string]) {
				// The handler receives its queue when the controller starts.
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

// TestSamplersSeeTheEvents: samplers only see links that exist before the span starts.
func TestSamplersSeeTheEvents(t *testing.T) {
	var seen []trace.Link
	tp := tracingtest.NewTracerProvider(tracingtest.WithSampler(func(s tracingtest.Start) bool {
		if s.Name == "reconcile Deployment" {
			seen = s.Links
		}
		return true
	}))
	q := NewQueueObserver(&appsv1.Deployment{}, WithTracerProvider(tp))
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
	}), WithTracerProvider(tp), WithQueueObserver(q))
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

// TestObjectReconcilerKnowsItsQueue: an object reconciler that is the only wrapper uses its
// QueueObserver.
func TestObjectReconcilerKnowsItsQueue(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	owner := deployment("owner")
	q := NewQueueObserver(owner, WithTracerProvider(tp))
	wq := q.WrapNewQueue(nil)("", nil)
	defer wq.ShutDown()
	wq.Add(requestFor(owner))
	req, _ := wq.Get()
	r := WrapObjectReconciler[*appsv1.Deployment](objectReconciler(func(ctx context.Context, _ *appsv1.Deployment) (reconcile.Result, error) {
		_, span := tp.Tracer("user").Start(ctx, "step")
		span.End()
		return reconcile.Result{}, nil
	}), WithTracerProvider(tp), WithQueueObserver(q))
	if _, err := r.Reconcile(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	wq.Done(req)
	if got, ok := spanNamed(t, tp.Spans(), "reconcile Deployment").Attribute(ReconcileAttemptKey); !ok || got.AsInt64() != 1 {
		t.Errorf("the attempt is %v (%t)", got.AsInterface(), ok)
	}
}

// TestRequeueReasons: only outcomes after which controller-runtime requeues have a reason.
func TestRequeueReasons(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{}, "x", errors.New("changed"))
	for name, tc := range map[string]struct {
		result reconcile.Result
		err    error
		want   string
	}{
		"success":              {reconcile.Result{}, nil, ""},
		"error":                {reconcile.Result{RequeueAfter: 1}, errors.New("broken"), "error"},
		"conflict":             {reconcile.Result{}, fmt.Errorf("updating: %w", conflict), "conflict"},
		"more than one":        {reconcile.Result{}, errors.Join(conflict, errors.New("broken")), "error"},
		"terminal":             {reconcile.Result{}, reconcile.TerminalError(errors.New("no use")), ""},
		"terminal, a conflict": {reconcile.Result{}, reconcile.TerminalError(conflict), ""},
		"requeue":              {reconcile.Result{Requeue: true}, nil, "requeue"},                        //nolint:staticcheck // deprecated, but controller-runtime still supports it
		"requeue after":        {reconcile.Result{Requeue: true, RequeueAfter: 1}, nil, "requeue_after"}, //nolint:staticcheck // deprecated, but controller-runtime still supports it
	} {
		if got := reasonFor(tc.result, tc.err).String(); got != tc.want {
			t.Errorf("%s: the reason is %q, want %q", name, got, tc.want)
		}
	}
}
