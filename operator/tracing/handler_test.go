package tracing

import (
	"context"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

type anyHandler = handler.TypedEventHandler[client.Object, reconcile.Request]

// wrapperOf hides the decorated queue, as controller-runtime does with a queue that is not a
// priority queue.
type wrapperOf struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func owned(obj *corev1.ConfigMap, owner string) *corev1.ConfigMap {
	obj.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: owner, Controller: new(true)}}
	return obj
}

func carrying(obj *corev1.ConfigMap, sc trace.SpanContext) *corev1.ConfigMap {
	c := newConfig(nil)
	obj.Annotations = c.values(sc, 0, c.now())
	return obj
}

// TestEventHandlers: with every handler of controller-runtime and every kind of queue, the event is
// the trigger of each request that the handler adds.
func TestEventHandlers(t *testing.T) {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(appsv1.SchemeGroupVersion.WithKind("Deployment"), meta.RESTScopeNamespace)
	mapped := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, obj client.Object) []reconcile.Request {
		return []reconcile.Request{requestFor(deployment("owner")), requestFor(deployment("owner-2"))}
	})
	delayed := handler.Funcs{
		CreateFunc: func(_ context.Context, _ event.CreateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			q.AddAfter(requestFor(deployment("owner")), 1)
		},
		UpdateFunc: func(_ context.Context, _ event.UpdateEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			q.AddRateLimited(requestFor(deployment("owner")))
		},
		DeleteFunc: func(_ context.Context, _ event.DeleteEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			var later sync.WaitGroup
			later.Go(func() { q.AddAfter(requestFor(deployment("owner")), 0) })
			later.Wait()
		},
		GenericFunc: func(_ context.Context, _ event.GenericEvent, q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			if pq, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
				pq.AddWithOpts(priorityqueue.AddOpts{RateLimited: true, After: 1}, requestFor(deployment("owner")))
				return
			}
			q.Add(requestFor(deployment("owner")))
		},
	}
	for name, tc := range map[string]struct {
		handler anyHandler
		wrap    func(*QueueObserver[reconcile.Request], anyHandler) anyHandler
		object  *corev1.ConfigMap
		names   []string
	}{
		"object": {&handler.EnqueueRequestForObject{}, nil, configMap("owner"), []string{"owner"}},
		"owner": {handler.EnqueueRequestForOwner(scheme.Scheme, mapper, &appsv1.Deployment{}, handler.OnlyControllerOwner()),
			nil, owned(configMap("x"), "owner"), []string{"owner"}},
		"map":     {mapped, nil, configMap("x"), []string{"owner", "owner-2"}},
		"delayed": {delayed, nil, configMap("x"), []string{"owner"}},
		"low priority": {mapped, func(q *QueueObserver[reconcile.Request], h anyHandler) anyHandler {
			return handler.WithLowPriorityWhenUnchanged(WrapEventHandler(q, h))
		}, configMap("x"), []string{"owner", "owner-2"}},
	} {
		for _, queue := range []string{"priority queue", "rate limiting queue"} {
			t.Run(name+", "+queue, func(t *testing.T) {
				for action, handle := range eventsOf(carrying(tc.object, sampledContext(1))) {
					q := NewQueueObserver(&appsv1.Deployment{}, WithTracerProvider(tracingtest.NewTracerProvider()))
					limiter := workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]()
					wq := q.WrapNewQueue(nil)("", limiter)
					given := wq
					if queue != "priority queue" {
						wq = q.WrapNewQueue(newRateLimiting)("", limiter)
						given = wrapperOf{wq}
					}
					h := WrapEventHandler(q, tc.handler)
					if tc.wrap != nil {
						h = tc.wrap(q, tc.handler)
					}
					handle(q.Predicate(), h, given) // the predicate sees the event as well
					for range tc.names {
						req, _ := wq.Get()
						r := q.table.running(req)
						if len(r.triggers) != 1 || r.triggers[0].text != action+" ConfigMap" || r.events != 1 || !sameSpan(r.triggers[0].stored.sc, sampledContext(1)) {
							t.Errorf("%s of %s: %d events, triggers %v", action, req, r.events, r.triggers)
						}
						wq.Done(req)
					}
					if len(q.table.requests) != 0 {
						t.Errorf("%s: %d requests left in the table, want 0", action, len(q.table.requests))
					}
					wq.ShutDown()
				}
			})
		}
	}
}

func newRateLimiting(_ string, l workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	return workqueue.NewTypedRateLimitingQueue(l)
}

// eventsOf returns the events of an object, as a source handles them.
func eventsOf(obj client.Object) map[string]func(predicate.Predicate, anyHandler, workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	ctx := context.Background()
	return map[string]func(predicate.Predicate, anyHandler, queue){
		"create": func(p predicate.Predicate, h anyHandler, q queue) {
			if e := (event.CreateEvent{Object: obj, IsInInitialList: true}); p.Create(e) {
				h.Create(ctx, e, q)
			}
		},
		"update": func(p predicate.Predicate, h anyHandler, q queue) {
			if e := (event.UpdateEvent{ObjectOld: obj, ObjectNew: obj}); p.Update(e) {
				h.Update(ctx, e, q)
			}
		},
		"delete": func(p predicate.Predicate, h anyHandler, q queue) {
			if e := (event.DeleteEvent{Object: obj}); p.Delete(e) {
				h.Delete(ctx, e, q)
			}
		},
		"generic": func(p predicate.Predicate, h anyHandler, q queue) {
			if e := (event.GenericEvent{Object: obj}); p.Generic(e) {
				h.Generic(ctx, e, q)
			}
		},
	}
}

// TestEventHandlerKeepsPriority: controller-runtime's priority for the initial list and for resyncs
// is kept, for both orders of wrappers.
func TestEventHandlerKeepsPriority(t *testing.T) {
	q := NewQueueObserver(&appsv1.Deployment{}, WithTracerProvider(tracingtest.NewTracerProvider()))
	inner := anyHandler(&handler.EnqueueRequestForObject{})
	for name, h := range map[string]anyHandler{
		"plain":   WrapEventHandler(q, inner),
		"outside": WrapEventHandler(q, handler.WithLowPriorityWhenUnchanged(inner)),
		"inside":  handler.WithLowPriorityWhenUnchanged(WrapEventHandler(q, inner)),
	} {
		for action, handle := range eventsOf(deployment("x")) {
			wq := q.WrapNewQueue(nil)("", nil).(priorityqueue.PriorityQueue[reconcile.Request])
			handle(q.Predicate(), h, wq)
			want := map[string]int{"create": handler.LowPriority, "update": handler.LowPriority}[action]
			if _, got, _ := wq.GetWithPriority(); got != want {
				t.Errorf("%s, %s: the priority is %d, want %d", name, action, got, want)
			}
			wq.ShutDown()
		}
	}
}

func TestEventHandlerWithoutAnything(t *testing.T) {
	inner := anyHandler(&handler.EnqueueRequestForObject{})
	if got := WrapEventHandler[client.Object, reconcile.Request](nil, inner); got != inner {
		t.Errorf("WrapEventHandler(nil queue) = %T, want the handler itself", got)
	}
	q := NewQueueObserver(&appsv1.Deployment{}, WithTracerProvider(tracingtest.NewTracerProvider()))
	if got := WrapEventHandler[client.Object](q, nil); got != nil {
		t.Errorf("WrapEventHandler(nil handler) = %T, want nil", got)
	}
	wq := q.WrapNewQueue(nil)("", nil)
	defer wq.ShutDown()
	n := 0
	h := WrapEventHandler(q, anyHandler(handler.Funcs{
		CreateFunc: func(context.Context, event.CreateEvent, workqueue.TypedRateLimitingInterface[reconcile.Request]) { n++ },
		UpdateFunc: func(context.Context, event.UpdateEvent, workqueue.TypedRateLimitingInterface[reconcile.Request]) { n++ },
		GenericFunc: func(context.Context, event.GenericEvent, workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			n++
		},
	}))
	h.Create(t.Context(), event.CreateEvent{}, wq)
	h.Update(t.Context(), event.UpdateEvent{ObjectOld: configMap("x"), ObjectNew: (*corev1.ConfigMap)(nil)}, wq)
	h.Generic(t.Context(), event.GenericEvent{Object: configMap("x")}, nil)
	p := q.Predicate()
	if !p.Create(event.CreateEvent{}) || !p.Update(event.UpdateEvent{ObjectNew: (*corev1.ConfigMap)(nil)}) || !p.Delete(event.DeleteEvent{}) || !p.Generic(event.GenericEvent{}) {
		t.Error("the predicate rejects an event without an object")
	}
	if n != 3 || len(q.table.notes) != 0 {
		t.Errorf("the handler was called %d times, and %d events are noted", n, len(q.table.notes))
	}
}

// TestPredicateCandidates: the requests that an event about an object may add.
func TestPredicateCandidates(t *testing.T) {
	request := func(namespace, name string) reconcile.Request {
		return reconcile.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}}
	}
	other := owned(configMap("x"), "owner")
	other.OwnerReferences[0].APIVersion = "example.org/v1"
	many := owned(configMap("x"), "owner")
	many.OwnerReferences = append(many.OwnerReferences, metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "two"})
	clusterScoped := owned(configMap("x"), "owner")
	clusterScoped.Namespace = ""
	partial := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "owner"}}
	partial.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	loose := &unstructured.Unstructured{}
	loose.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	loose.SetName("owner")
	for name, tc := range map[string]struct {
		kind client.Object
		obj  client.Object
		old  client.Object
		want []reconcile.Request
	}{
		"its own":                      {&appsv1.Deployment{}, deployment("owner"), nil, []reconcile.Request{request("ns", "owner")}},
		"its own, by a nil pointer":    {(*appsv1.Deployment)(nil), deployment("owner"), nil, []reconcile.Request{request("ns", "owner")}},
		"its own metadata":             {&appsv1.Deployment{}, partial, nil, []reconcile.Request{request("ns", "owner")}},
		"its own, unstructured":        {&appsv1.Deployment{}, loose, nil, []reconcile.Request{request("", "owner")}},
		"its own, before and after":    {&appsv1.Deployment{}, deployment("owner"), deployment("owner"), []reconcile.Request{request("ns", "owner")}},
		"its owner's":                  {&appsv1.Deployment{}, owned(configMap("x"), "owner"), nil, []reconcile.Request{request("ns", "owner"), request("", "owner")}},
		"all its owners'":              {&appsv1.Deployment{}, many, nil, []reconcile.Request{request("ns", "owner"), request("", "owner"), request("ns", "two"), request("", "two")}},
		"a cluster-scoped one's owner": {&appsv1.Deployment{}, clusterScoped, nil, []reconcile.Request{request("", "owner")}},
		"its former owner's":           {&appsv1.Deployment{}, owned(configMap("x"), "new"), owned(configMap("x"), "old"), []reconcile.Request{request("ns", "new"), request("", "new"), request("ns", "old"), request("", "old")}},
		"an owner of another group":    {&appsv1.Deployment{}, other, nil, nil},
		"without an owner":             {&appsv1.Deployment{}, configMap("x"), nil, nil},
		"of nothing":                   {nil, deployment("owner"), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			q := NewQueueObserver(tc.kind, WithTracerProvider(tracingtest.NewTracerProvider()))
			q.table.open(true)
			q.Predicate().Update(event.UpdateEvent{ObjectOld: tc.old, ObjectNew: tc.obj})
			var got []reconcile.Request
			for _, n := range q.table.notes {
				got = append(got, n.item)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("candidates (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("of a kind that the scheme does not know", func(t *testing.T) {
		q := NewQueueObserver(&appsv1.Deployment{}, WithScheme(runtime.NewScheme()), WithTracerProvider(tracingtest.NewTracerProvider()))
		q.table.open(true)
		q.Predicate().Create(event.CreateEvent{Object: deployment("owner")})
		q.Predicate().Create(event.CreateEvent{Object: owned(configMap("x"), "owner")})
		if n := len(q.table.notes); n != 3 || q.table.notes[1].trigger.text != "create ConfigMap" {
			t.Errorf("%d candidates, want the object, and its owner in a namespace and in none", n)
		}
	})
}

// TestPredicateIsSilent: an event with an invalid context is a trigger without a link, and is not
// logged.
func TestPredicateIsSilent(t *testing.T) {
	for name, value := range map[string]string{"malformed": "x", "of zeros": "00-00000000000000000000000000000000-0000000000000000-01"} {
		q := NewQueueObserver(&appsv1.Deployment{}, WithTracerProvider(tracingtest.NewTracerProvider()))
		q.table.open(true)
		obj := deployment("x")
		obj.Annotations = map[string]string{parentKey: value}
		if !q.Predicate().Create(event.CreateEvent{Object: obj}) {
			t.Error("the predicate rejects the event")
		}
		if got := q.table.notes[0].trigger; got.text != "create Deployment" || got.stored.valid() {
			t.Errorf("%s: the trigger is %v", name, got)
		}
	}
}
