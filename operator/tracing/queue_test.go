package tracing

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// controlled is a controller of controller-runtime, with its queue, that reconciles Deployments by
// name. It runs in a bubble of package synctest: time is the bubble's, and a leaked goroutine fails
// the test.
type controlled struct {
	tp     *tracingtest.TracerProvider
	queue  *QueueObserver[string]
	adds   workqueue.TypedRateLimitingInterface[string] // as a source receives it
	stop   func()
	source source.TypedSource[string] // one more
}

// underBothQueues runs f with the priority queue and with the rate limiting queue.
func underBothQueues(t *testing.T, f func(t *testing.T, usePriorityQueue bool)) {
	t.Helper()
	for name, priority := range map[string]bool{"priority queue": true, "rate limiting queue": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, priority) })
		})
	}
}

// pass advances the bubble's time.
func pass(d time.Duration) { <-time.After(d) }

func (c *controlled) start(t *testing.T, priority bool, r reconcile.TypedFunc[string]) {
	t.Helper()
	c.tp = tracingtest.NewTracerProvider()
	opt := WithTracerProvider(c.tp)
	c.queue = NewTypedQueueObserver(func(obj client.Object) []string { return []string{obj.GetName()} }, opt)
	kept := reconcile.TypedFunc[string](func(ctx context.Context, name string) (reconcile.Result, error) {
		_, span := c.tp.Tracer("user").Start(ctx, "step")
		defer span.End()
		return r(ctx, name)
	})
	ctrl, err := controller.NewTypedUnmanaged("deployments", c.queue.Options(controller.TypedOptions[string]{
		UsePriorityQueue:   &priority,
		SkipNameValidation: new(true),
		Reconciler: WrapTypedReconciler(&appsv1.Deployment{}, kept, func(name string) types.NamespacedName {
			return types.NamespacedName{Namespace: "ns", Name: name}
		}, opt, WithQueueObserver(c.queue)),
	}))
	if err != nil {
		t.Fatal(err)
	}
	sources := []source.TypedSource[string]{
		source.TypedFunc[string](func(_ context.Context, q workqueue.TypedRateLimitingInterface[string]) error {
			c.adds = q
			return nil
		}),
	}
	if c.source != nil {
		sources = append(sources, c.source)
	}
	for _, s := range sources {
		if err := ctrl.Watch(s); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- ctrl.Start(ctx) }()
	c.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := len(c.queue.table.requests); n != 0 {
			t.Errorf("%d requests left in the table, want 0", n)
		}
	}
	synctest.Wait()
}

// event is an update of the Deployment, for the predicate and then the handler, as from an
// informer.
func (c *controlled) event(name string, edit ...func(*appsv1.Deployment)) {
	d := deployment(name, edit...)
	if c.queue.Predicate().Update(event.UpdateEvent{ObjectOld: deployment(name), ObjectNew: d}) {
		c.adds.Add(name)
	}
}

// reconciles returns the queue's attributes of each reconcile of the object, in order.
func (c *controlled) reconciles(name string) (out []map[attribute.Key]any) {
	for _, s := range c.reconcileSpans(name) {
		m := map[attribute.Key]any{}
		for _, kv := range s.Attributes {
			switch kv.Key {
			case ReconcileAttemptKey, ReconcileQueueWaitKey, ReconcileDelayKey, ReconcileTriggerKey, ReconcileEventsKey, ReconcileRequeueReasonKey:
				m[kv.Key] = kv.Value.AsInterface()
			}
		}
		out = append(out, m)
	}
	return out
}

func (c *controlled) reconcileSpans(name string) (out []tracingtest.Span) {
	for _, s := range c.tp.Spans() {
		if got, _ := s.Attribute(ObjectNameKey); s.Name == "reconcile Deployment" && got.AsString() == name {
			out = append(out, s)
		}
	}
	return out
}

func sameReconciles(t *testing.T, want, got []map[attribute.Key]any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reconciles (-want +got):\n%s", diff)
	}
}

func TestQueueCoalescesEvents(t *testing.T) {
	underBothQueues(t, func(t *testing.T, priority bool) {
		var c controlled
		c.start(t, priority, func(context.Context, string) (reconcile.Result, error) {
			pass(3 * time.Second)
			return reconcile.Result{}, nil
		})
		defer c.stop()
		c.event("x")
		pass(time.Second)
		for n := range byte(3) { // while it runs
			c.event("x", carries(sampledContext(n+1), 0))
		}
		c.event("y")
		pass(time.Hour)
		sameReconciles(t, []map[attribute.Key]any{
			{ReconcileAttemptKey: int64(1), ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "update Deployment"},
			{
				ReconcileAttemptKey:   int64(1),
				ReconcileQueueWaitKey: map[bool]float64{true: 2, false: 5}[priority], // the rate limiting queue returns y first
				ReconcileTriggerKey:   "update Deployment", ReconcileEventsKey: int64(3),
			},
		}, c.reconciles("x"))
		if links := c.reconcileSpans("x")[1].Links; len(links) != 3 {
			t.Errorf("links %v, want three, one for each event", links)
		}
	})
}

func TestQueueRetries(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "deployments"}, "x", errors.New("changed"))
	underBothQueues(t, func(t *testing.T, priority bool) {
		var c controlled
		outcomes := []func() (reconcile.Result, error){
			func() (reconcile.Result, error) { return reconcile.Result{}, errors.New("broken") },
			func() (reconcile.Result, error) { return reconcile.Result{}, conflict },
			func() (reconcile.Result, error) { return reconcile.Result{Requeue: true}, nil }, //nolint:staticcheck // deprecated, but controller-runtime still supports it
			func() (reconcile.Result, error) { panic("recovered by controller-runtime") },
			func() (reconcile.Result, error) { return reconcile.Result{RequeueAfter: time.Minute}, nil },
			func() (reconcile.Result, error) {
				return reconcile.Result{}, reconcile.TerminalError(errors.New("no use"))
			},
		}
		n := 0
		c.start(t, priority, func(context.Context, string) (reconcile.Result, error) {
			if n++; n <= len(outcomes) {
				return outcomes[n-1]()
			}
			return reconcile.Result{}, nil
		})
		defer c.stop()
		c.event("x")
		pass(time.Hour)
		c.event("x")
		synctest.Wait()
		again := func(attempt int64, delay float64, reason string) map[attribute.Key]any {
			return map[attribute.Key]any{
				ReconcileAttemptKey: attempt, ReconcileQueueWaitKey: 0.0, ReconcileDelayKey: delay,
				ReconcileTriggerKey: "requeue", ReconcileRequeueReasonKey: reason,
			}
		}
		first := map[attribute.Key]any{ReconcileAttemptKey: int64(1), ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "update Deployment"}
		sameReconciles(t, []map[attribute.Key]any{
			first,
			again(2, 0.005, "error"), again(3, 0.010, "conflict"), again(4, 0.020, "requeue"), again(5, 0.040, "error"),
			again(1, 60, "requeue_after"),
			first, // no requeue after the terminal error, until an event arrives
		}, c.reconciles("x"))
	})
}

// TestQueueEventDuringBackoff: the priority queue makes the request ready at once. The rate
// limiting queue also returns the delayed request later.
func TestQueueEventDuringBackoff(t *testing.T) {
	underBothQueues(t, func(t *testing.T, priority bool) {
		var c controlled
		n := 0
		c.start(t, priority, func(context.Context, string) (reconcile.Result, error) {
			if n++; n == 1 {
				return reconcile.Result{RequeueAfter: time.Minute}, nil
			}
			return reconcile.Result{}, nil
		})
		defer c.stop()
		c.event("x")
		pass(20 * time.Second)
		c.event("x")
		pass(time.Hour)
		first := map[attribute.Key]any{ReconcileAttemptKey: int64(1), ReconcileQueueWaitKey: 0.0, ReconcileTriggerKey: "update Deployment"}
		if priority {
			// The event ended the delay, so the request has no delay attribute.
			sameReconciles(t, []map[attribute.Key]any{first, with(first, map[attribute.Key]any{
				ReconcileRequeueReasonKey: "requeue_after",
			})}, c.reconciles("x"))
			return
		}
		sameReconciles(t, []map[attribute.Key]any{first, first, with(first, map[attribute.Key]any{
			ReconcileDelayKey: 60.0, ReconcileTriggerKey: "requeue", ReconcileRequeueReasonKey: "requeue_after",
		})}, c.reconciles("x"))
	})
}

// TestQueueShutDown: waiting requests are dropped, the running request keeps its record, and the
// table is empty at the end (see stop).
func TestQueueShutDown(t *testing.T) {
	underBothQueues(t, func(t *testing.T, priority bool) {
		var c controlled
		c.start(t, priority, func(_ context.Context, name string) (reconcile.Result, error) {
			pass(time.Second)
			return reconcile.Result{}, errors.New("broken")
		})
		c.event("x")
		synctest.Wait()
		c.event("y")
		c.adds.AddAfter("z", time.Hour)
		c.stop()
		if got := c.reconciles("x"); len(got) != 1 || got[0][ReconcileAttemptKey] != int64(1) {
			t.Errorf("the reconcile during the shutdown: %v", got)
		}
	})
}

// TestQueuesDoNotMix: two controllers of one process reconcile objects with the same names.
func TestQueuesDoNotMix(t *testing.T) {
	underBothQueues(t, func(t *testing.T, priority bool) {
		var a, b controlled
		nothing := func(context.Context, string) (reconcile.Result, error) { return reconcile.Result{}, nil }
		a.start(t, priority, nothing)
		defer a.stop()
		b.start(t, priority, nothing)
		defer b.stop()
		a.queue.Predicate().Create(event.CreateEvent{Object: deployment("x")})
		b.queue.Predicate().Delete(event.DeleteEvent{Object: configMap("x")})
		a.adds.Add("x")
		b.adds.Add("x")
		synctest.Wait()
		for want, c := range map[string]controlled{"create Deployment": a, "delete ConfigMap": b} {
			if got := c.reconciles("x"); len(got) != 1 || got[0][ReconcileTriggerKey] != want {
				t.Errorf("the reconciles are %v, want one with the trigger %q", got, want)
			}
		}
	})
}
