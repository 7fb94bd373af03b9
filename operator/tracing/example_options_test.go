package tracing_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/go-logr/logr/funcr"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// The wrapped reconciler receives the object and needs no read.
func ExampleWrapObjectReconciler() {
	tp := tracingtest.NewTracerProvider()
	opts := []tracing.Option{tracing.WithTracerProvider(tp)}
	c := tracing.WrapClient(fake.NewClientBuilder().Build(), opts...)
	own := objectReconciler(func(ctx context.Context, d *appsv1.Deployment) (reconcile.Result, error) {
		return reconcile.Result{}, c.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name}})
	})
	r := tracing.WrapObjectReconciler(own, opts...)
	// For a controller: reconcile.AsReconciler(mgr.GetClient(), r)

	cart := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart", UID: "1234", Generation: 1}}
	if _, err := r.Reconcile(context.Background(), cart); err != nil {
		fmt.Println(err)
	}
	for _, s := range tp.Spans() {
		fmt.Println(s.Kind, s.Name)
	}
	// Output:
	// producer create ConfigMap
	// consumer reconcile Deployment
}

type objectReconciler func(context.Context, *appsv1.Deployment) (reconcile.Result, error)

func (f objectReconciler) Reconcile(ctx context.Context, d *appsv1.Deployment) (reconcile.Result, error) {
	return f(ctx, d)
}

// The manager creates its default client and wraps it.
func ExampleNewClientFunc() {
	tp := tracingtest.NewTracerProvider()
	options := ctrl.Options{NewClient: tracing.NewClientFunc(tracing.WithTracerProvider(tp))}

	// The manager calls it like this:
	c, err := options.NewClient(&rest.Config{}, client.Options{Scheme: options.Scheme})
	fmt.Println(c != nil, err)
	// Output: true <nil>
}

// The reads before the first write are spans with their own times.
func ExampleWithReads() {
	tp := tracingtest.NewTracerProvider()
	opts := []tracing.Option{tracing.WithTracerProvider(tp), tracing.WithReads()}
	cart := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart"}}
	server := fake.NewClientBuilder().WithObjects(cart).Build()
	r := tracing.WrapReconciler(&appsv1.Deployment{}, &reconciler{tracing.WrapClient(server, opts...)}, opts...)
	if _, err := r.Reconcile(context.Background(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(cart)}); err != nil {
		fmt.Println(err)
	}
	for _, s := range tp.Spans() {
		fmt.Println(s.Kind, s.Name)
	}
	// Output:
	// client get Deployment
	// producer create ConfigMap
	// consumer reconcile Deployment
}

// Only a request with a span in its context has the header.
func ExampleWrapTransport() {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("traceparent", len(r.Header.Get("traceparent")) > 0)
	}))
	defer server.Close()
	tp := tracingtest.NewTracerProvider()
	config := &rest.Config{Host: server.URL}
	config.Wrap(tracing.WrapTransport(tracing.WithTracerProvider(tp))) // before the manager is created

	c, err := rest.HTTPClientFor(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, span := tp.Tracer("example").Start(context.Background(), "change")
	defer span.End()
	for _, ctx := range []context.Context{context.Background(), ctx} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := c.Do(req)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
	}
	// Output:
	// traceparent false
	// traceparent true
}

// Use it for objects that do not reach the cluster through a wrapped client.
func ExampleInjectContext() {
	tp := tracingtest.NewTracerProvider()
	ctx, span := tp.Tracer("example").Start(context.Background(), "import")
	defer span.End()
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "cart", Annotations: map[string]string{"team": "shop"}}}
	tracing.InjectContext(ctx, config, tracing.WithTracerProvider(tp))

	_, injected := config.Annotations["tracing.k8s.io/traceparent"]
	fmt.Println(injected, config.Annotations["team"])
	// Output: true shop
}

func ExampleExtractContext() {
	tp := tracingtest.NewTracerProvider()
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
		"tracing.k8s.io/traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}}}
	sc, ok := tracing.ExtractContext(context.Background(), config, tracing.WithTracerProvider(tp))
	fmt.Println(ok, sc.TraceID(), sc.IsRemote())
	// Output: true 0af7651916cd43dd8448eb211c80319c true
}

// In a wrapped reconcile, log.FromContext does the same. Logger is for other spans.
func ExampleLogger() {
	ctx := log.IntoContext(context.Background(), funcr.New(func(_, args string) { fmt.Println(args) }, funcr.Options{}))
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
	tracing.Logger(ctx).Info("Importing", "files", 3)
	// Output: "level"=0 "msg"="Importing" "files"=3 "trace_id"="01000000000000000000000000000000" "span_id"="0200000000000000"
}

// The span "converge Deployment" ends with the status write that makes the Deployment Ready.
func ExampleWithConverge() {
	tp := tracingtest.NewTracerProvider()
	cart := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart", UID: "1234", Generation: 1}}
	server := fake.NewClientBuilder().WithObjects(cart).WithStatusSubresource(cart).Build()
	opts := []tracing.Option{tracing.WithTracerProvider(tp), tracing.WithConverge(&appsv1.Deployment{})}
	c := tracing.WrapClient(server, opts...)
	r := tracing.WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		var d appsv1.Deployment
		if err := c.Get(ctx, req.NamespacedName, &d); err != nil {
			return reconcile.Result{}, err
		}
		d.Status.ObservedGeneration = d.Generation
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: "Ready", Status: corev1.ConditionTrue}}
		return reconcile.Result{}, c.Status().Update(ctx, &d)
	}), opts...)
	if _, err := r.Reconcile(context.Background(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(cart)}); err != nil {
		fmt.Println(err)
	}
	for _, s := range tp.Spans() {
		fmt.Println(s.Kind, s.Name)
		for _, e := range s.Events {
			fmt.Println(" ", e.Name)
		}
	}
	// Output:
	// internal converge Deployment
	// client update_status Deployment
	//   Ready: Unknown→True
	// consumer reconcile Deployment
}
