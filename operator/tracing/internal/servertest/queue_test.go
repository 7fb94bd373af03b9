package servertest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// patience is the timeout for conditions that usually take milliseconds.
const patience = 30 * time.Second

// managed is a manager with a controller of ConfigMaps that owns Secrets and watches
// ServiceAccounts, and another controller of ServiceAccounts. Each reconcile of a ConfigMap waits
// for the test.
type managed struct {
	*world

	entered chan string // a reconcile has read its object
	leave   chan error  // the result of that reconcile
	adds    atomic.Int64
}

// startManaged starts the manager in a world of its own, with its owner.
func startManaged(t *testing.T, priority bool) *managed {
	t.Helper()
	m := &managed{world: newWorld(t), entered: make(chan string), leave: make(chan error)}
	m.tp.Reset()
	opts := []tracing.Option{tracing.WithTracerProvider(m.tp)}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		NewClient: tracing.NewClientFunc(opts...),
		Cache:     cache.Options{DefaultNamespaces: map[string]cache.Config{m.namespace: {}}},
		Metrics:   server.Options{BindAddress: "0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	queue := tracing.NewQueueObserver(&corev1.ConfigMap{}, opts...)
	toOwner := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(m.owner)}}
	})
	err = ctrl.NewControllerManagedBy(mgr).For(&corev1.ConfigMap{}).Owns(&corev1.Secret{}).
		Watches(&corev1.ServiceAccount{}, tracing.WrapEventHandler(queue, toOwner)).
		WithOptions(queue.Options(controller.Options{NewQueue: m.newQueue(priority), SkipNameValidation: new(true)})).
		WithEventFilter(queue.Predicate()).
		Complete(tracing.WrapReconciler(&corev1.ConfigMap{}, m.reconciler(mgr.GetClient(), &corev1.ConfigMap{}, m.wait), append(opts, tracing.WithQueueObserver(queue))...))
	if err != nil {
		t.Fatal(err)
	}
	other := tracing.NewQueueObserver(&corev1.ServiceAccount{}, opts...)
	err = ctrl.NewControllerManagedBy(mgr).For(&corev1.ServiceAccount{}).
		WithOptions(other.Options(controller.Options{UsePriorityQueue: &priority, SkipNameValidation: new(true)})).
		WithEventFilter(other.Predicate()).
		Complete(tracing.WrapReconciler(&corev1.ServiceAccount{}, m.reconciler(mgr.GetClient(), &corev1.ServiceAccount{}, func(context.Context, string) error { return nil }), append(opts, tracing.WithQueueObserver(other))...))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return m
}

// newQueue returns a function that creates controller-runtime's queue and counts its adds.
func (m *managed) newQueue(priority bool) func(string, workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	return func(name string, l workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
		if !priority {
			return &countingQueue{workqueue.NewTypedRateLimitingQueue(l), &m.adds}
		}
		pq := priorityqueue.New(name, func(o *priorityqueue.Opts[reconcile.Request]) { o.RateLimiter = l })
		return &countingPriorityQueue{pq, &m.adds}
	}
}

type countingQueue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]

	adds *atomic.Int64
}

func (q *countingQueue) Add(req reconcile.Request) {
	q.TypedRateLimitingInterface.Add(req)
	q.adds.Add(1)
}

type countingPriorityQueue struct {
	priorityqueue.PriorityQueue[reconcile.Request]

	adds *atomic.Int64
}

func (q *countingPriorityQueue) Add(req reconcile.Request) {
	q.AddWithOpts(priorityqueue.AddOpts{}, req)
}

func (q *countingPriorityQueue) AddWithOpts(o priorityqueue.AddOpts, reqs ...reconcile.Request) {
	q.PriorityQueue.AddWithOpts(o, reqs...)
	q.adds.Add(1)
}

// reconciler reads its object, and starts a span of its own so that each reconcile is exported.
func (m *managed) reconciler(c client.Client, obj client.Object, then func(context.Context, string) error) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		obj := obj.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has the type
		if err := c.Get(ctx, req.NamespacedName, obj); err != nil {
			return reconcile.Result{}, client.IgnoreNotFound(err)
		}
		_, span := m.tp.Tracer("user").Start(ctx, "step")
		span.End()
		return reconcile.Result{}, then(ctx, req.Name)
	})
}

func (m *managed) wait(ctx context.Context, name string) error {
	select {
	case m.entered <- name:
	case <-ctx.Done():
		return nil
	}
	select {
	case err := <-m.leave:
		return err
	case <-ctx.Done():
		return nil
	}
}

// enter waits until a reconcile of the owner runs.
func (m *managed) enter(t *testing.T) {
	t.Helper()
	select {
	case name := <-m.entered:
		if name != m.owner.Name {
			t.Fatalf("%s is reconciled, want %s", name, m.owner.Name)
		}
	case <-time.After(patience):
		t.Fatalf("no reconcile ran within %s", patience)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatalf("timeout after %s waiting for %s", patience, what)
		}
	}
}

// change runs f, which changes an object in the cluster, and waits until the owner was added to the
// queue for it.
func (m *managed) change(t *testing.T, f func() error) {
	t.Helper()
	before := m.adds.Load()
	if err := f(); err != nil {
		t.Fatal(err)
	}
	until(t, "request for the owner", func() bool { return m.adds.Load() > before })
}

// finish lets the running reconcile return, and returns its span.
func (m *managed) finish(t *testing.T, err error) tracingtest.Span {
	t.Helper()
	spans := func() []tracingtest.Span {
		return slices.DeleteFunc(m.tp.Spans(), func(s tracingtest.Span) bool { return s.Name != "reconcile ConfigMap" })
	}
	before := len(spans())
	m.leave <- err
	until(t, "span of the reconcile", func() bool { return len(spans()) > before })
	return spans()[before]
}

func (m *managed) update(t *testing.T, sc trace.SpanContext, value string) func() error {
	return func() error {
		m.owner.Data = map[string]string{"value": value}
		tracing.InjectContext(trace.ContextWithSpanContext(t.Context(), sc), m.owner, tracing.WithTracerProvider(m.tp))
		return m.plain.Update(t.Context(), m.owner)
	}
}

func someContext(n byte) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{0: 1, 15: n}, SpanID: trace.SpanID{n}, TraceFlags: trace.FlagsSampled})
}

// told holds the queue's attributes of a reconcile's span, without times.
type told struct {
	Trigger, Reason string
	Attempt, Events int64
	Links           []trace.TraceID
}

func toldBy(t *testing.T, s tracingtest.Span) told {
	t.Helper()
	var out told
	if v, ok := s.Attribute(tracing.ReconcileTriggerKey); ok {
		out.Trigger = v.AsString()
	}
	if v, ok := s.Attribute(tracing.ReconcileRequeueReasonKey); ok {
		out.Reason = v.AsString()
	}
	if v, ok := s.Attribute(tracing.ReconcileAttemptKey); ok {
		out.Attempt = v.AsInt64()
	}
	if v, ok := s.Attribute(tracing.ReconcileEventsKey); ok {
		out.Events = v.AsInt64()
	}
	if v, ok := s.Attribute(tracing.ReconcileQueueWaitKey); !ok || v.AsFloat64() < 0 || v.AsFloat64() > patience.Seconds() {
		t.Errorf("the request waited %v (%t)", v.AsFloat64(), ok)
	}
	for _, l := range s.Links {
		out.Links = append(out.Links, l.SpanContext.TraceID())
	}
	return out
}

// TestQueueOfAManager: a real manager with For, Owns and Watches, one event after the other.
func TestQueueOfAManager(t *testing.T) {
	for name, priority := range map[string]bool{"priority queue": true, "rate limiting queue": false} {
		t.Run(name, func(t *testing.T) {
			m := startManaged(t, priority)
			expect := func(s tracingtest.Span, want told) {
				t.Helper()
				if diff := cmp.Diff(want, toldBy(t, s)); diff != "" {
					t.Errorf("reconcile (-want +got):\n%s", diff)
				}
			}
			create := func(obj client.Object) func() error {
				return func() error { return m.plain.Create(t.Context(), obj) }
			}

			m.enter(t) // the initial list
			m.change(t, m.update(t, someContext(1), "superseded"))
			m.change(t, m.update(t, someContext(2), "last"))
			expect(m.finish(t, nil), told{Trigger: "create ConfigMap", Attempt: 1})

			m.enter(t)
			second := m.finish(t, errors.New("retry"))
			expect(second, told{Trigger: "update ConfigMap", Attempt: 1, Events: 2, Links: []trace.TraceID{someContext(1).TraceID()}})
			if second.Parent.SpanID() != someContext(2).SpanID() {
				t.Errorf("the parent is %s, want the context of the last update", second.Parent.SpanID())
			}

			m.enter(t)
			third := m.finish(t, nil)
			expect(third, told{Trigger: "requeue", Attempt: 2, Reason: "error"})
			if delay, _ := third.Attribute(tracing.ReconcileDelayKey); delay.AsFloat64() < 0.005 || delay.AsFloat64() > 1 {
				t.Errorf("the delay is %v s, want the first one of the back-off, 5 ms", delay.AsFloat64())
			}

			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
				Namespace: m.namespace, Name: "owned",
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(m.owner, corev1.SchemeGroupVersion.WithKind("ConfigMap"))},
			}}
			m.change(t, create(secret))
			m.enter(t)
			expect(m.finish(t, nil), told{Trigger: "create Secret", Attempt: 1})

			m.change(t, func() error { return m.plain.Delete(t.Context(), secret) })
			m.enter(t)
			expect(m.finish(t, nil), told{Trigger: "delete Secret", Attempt: 1})

			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: m.namespace, Name: m.owner.Name}}
			tracing.InjectContext(trace.ContextWithSpanContext(t.Context(), someContext(3)), account, tracing.WithTracerProvider(m.tp))
			m.change(t, create(account))
			m.enter(t)
			expect(m.finish(t, nil), told{Trigger: "create ServiceAccount", Attempt: 1, Links: []trace.TraceID{someContext(3).TraceID()}})
			until(t, "reconcile of the ServiceAccount", func() bool { return lastNamed(m.tp, "reconcile ServiceAccount").Name != "" })
			expect(lastNamed(m.tp, "reconcile ServiceAccount"), told{Trigger: "create ServiceAccount", Attempt: 1})
		})
	}
}
