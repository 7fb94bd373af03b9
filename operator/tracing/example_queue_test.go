package tracing_test

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// A controller uses its QueueObserver in four places.
func ExampleNewQueueObserver() {
	setup := func(mgr ctrl.Manager, r reconcile.Reconciler, nodes handler.EventHandler, opts ...tracing.Option) error {
		queue := tracing.NewQueueObserver(&appsv1.Deployment{}, opts...)
		return ctrl.NewControllerManagedBy(mgr).
			For(&appsv1.Deployment{}).
			Owns(&corev1.ConfigMap{}).
			Watches(&corev1.Node{}, tracing.WrapEventHandler(queue, nodes)).
			WithEventFilter(queue.Predicate()).
			WithOptions(queue.Options(controller.Options{MaxConcurrentReconciles: 4})).
			Complete(tracing.WrapReconciler(&appsv1.Deployment{}, r, append(opts, tracing.WithQueueObserver(queue))...))
	}
	_ = setup // it requires a manager
}

// The calls that a controller makes for a request.
func ExampleQueueObserver() {
	tp := tracingtest.NewTracerProvider()
	opts := []tracing.Option{tracing.WithTracerProvider(tp)}
	queue := tracing.NewQueueObserver(&appsv1.Deployment{}, opts...)
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart"}}
	c := tracing.WrapClient(fake.NewClientBuilder().WithObjects(d).Build(), opts...)
	r := tracing.WrapReconciler(&appsv1.Deployment{}, &reconciler{c}, append(opts, tracing.WithQueueObserver(queue))...)

	wq := queue.Options(controller.Options{}).NewQueue("deployments", workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer wq.ShutDown()
	for _, image := range []string{"cart:1", "cart:2"} {
		d.Annotations = map[string]string{"image": image}
		if queue.Predicate().Update(event.UpdateEvent{ObjectOld: d, ObjectNew: d}) {
			wq.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(d)})
		}
	}
	req, _ := wq.Get()
	if _, err := r.Reconcile(context.Background(), req); err != nil {
		fmt.Println(err)
	}
	wq.Done(req)

	for _, s := range tp.Spans() {
		if s.Name == "reconcile Deployment" {
			attempt, _ := s.Attribute(tracing.ReconcileAttemptKey)
			trigger, _ := s.Attribute(tracing.ReconcileTriggerKey)
			events, _ := s.Attribute(tracing.ReconcileEventsKey)
			fmt.Printf("attempt %d, %q, %d events\n", attempt.AsInt64(), trigger.AsString(), events.AsInt64())
		}
	}
	// Output: attempt 1, "update Deployment", 2 events
}

// Other options stay as they are; only the queue is decorated.
func ExampleQueueObserver_Options() {
	queue := tracing.NewQueueObserver(&appsv1.Deployment{}, tracing.WithTracerProvider(tracingtest.NewTracerProvider()))
	o := queue.Options(controller.Options{MaxConcurrentReconciles: 4})
	fmt.Println(o.MaxConcurrentReconciles, o.NewQueue != nil)
	// Output: 4 true
}

// The predicate accepts every event.
func ExampleQueueObserver_Predicate() {
	queue := tracing.NewQueueObserver(&appsv1.Deployment{}, tracing.WithTracerProvider(tracingtest.NewTracerProvider()))
	fmt.Println(queue.Predicate().Create(event.CreateEvent{Object: &appsv1.Deployment{}}))
	// Output: true
}

func ExampleWrapEventHandler() {
	tp := tracingtest.NewTracerProvider()
	opts := []tracing.Option{tracing.WithTracerProvider(tp)}
	queue := tracing.NewQueueObserver(&appsv1.Deployment{}, opts...)
	wq := queue.WrapNewQueue(nil)("deployments", nil)
	defer wq.ShutDown()
	h := tracing.WrapEventHandler(queue, handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: "shop", Name: "cart"}}}
	}))
	h.Delete(context.Background(), event.DeleteEvent{Object: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}}, wq)

	r := tracing.WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
		_, span := tp.Tracer("shop").Start(ctx, "reschedule")
		span.End()
		return reconcile.Result{}, nil
	}), append(opts, tracing.WithQueueObserver(queue))...)
	req, _ := wq.Get()
	if _, err := r.Reconcile(context.Background(), req); err != nil {
		fmt.Println(err)
	}
	wq.Done(req)

	for _, s := range tp.Spans() {
		if trigger, ok := s.Attribute(tracing.ReconcileTriggerKey); ok {
			fmt.Println(s.Name, "because of", trigger.AsString())
		}
	}
	// Output: reconcile Deployment because of delete Node
}
