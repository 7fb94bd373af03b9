package tracing_test

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/trace"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// reconciler is the reconciler of an operator. It has no tracing code.
type reconciler struct{ client.Client }

func (r *reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var d appsv1.Deployment
	if err := r.Get(ctx, req.NamespacedName, &d); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name}}
	return reconcile.Result{}, client.IgnoreAlreadyExists(r.Create(ctx, config))
}

// A whole operator: the client, the reconciler and the defaulter are wrapped in one place, with the
// same options.
func Example() {
	setup := func(opts ...tracing.Option) error {
		mgr, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{NewClient: tracing.NewClientFunc(opts...)})
		if err != nil {
			return err
		}
		r := tracing.WrapReconciler(&appsv1.Deployment{}, &reconciler{mgr.GetClient()}, opts...)
		if err := ctrl.NewControllerManagedBy(mgr).For(&appsv1.Deployment{}).Complete(r); err != nil {
			return err
		}
		return ctrl.NewWebhookManagedBy(mgr, &appsv1.Deployment{}).
			WithDefaulter(tracing.WrapDefaulter[*appsv1.Deployment](nil, opts...)).
			WithContextFunc(tracing.WebhookContext(opts...)).
			Complete()
	}
	_ = setup // it requires a cluster
}

func ExampleWrapReconciler() {
	tp := tracingtest.NewTracerProvider()
	opts := []tracing.Option{tracing.WithTracerProvider(tp)}
	server := fake.NewClientBuilder().WithObjects(
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart", UID: "1234", Generation: 1}},
	).Build()
	r := tracing.WrapReconciler(&appsv1.Deployment{}, &reconciler{tracing.WrapClient(server, opts...)}, opts...)

	req := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: "shop", Name: "cart"}}
	if _, err := r.Reconcile(context.Background(), req); err != nil {
		fmt.Println(err)
	}
	for _, s := range tp.Spans() {
		fmt.Println(s.Kind, s.Name)
	}
	// Output:
	// producer create ConfigMap
	// consumer reconcile Deployment
}

// part is a request of another type, for a part of a Deployment.
type part struct {
	deployment types.NamespacedName
	number     int
}

func ExampleWrapTypedReconciler() {
	tp := tracingtest.NewTracerProvider()
	opts := []tracing.Option{tracing.WithTracerProvider(tp)}
	c := tracing.WrapClient(fake.NewClientBuilder().Build(), opts...)
	r := tracing.WrapTypedReconciler(&appsv1.Deployment{},
		reconcile.TypedFunc[part](func(ctx context.Context, p part) (reconcile.Result, error) {
			name := fmt.Sprintf("%s-%d", p.deployment.Name, p.number)
			return reconcile.Result{}, c.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.deployment.Namespace, Name: name}})
		}),
		func(p part) types.NamespacedName { return p.deployment }, opts...)

	p := part{types.NamespacedName{Namespace: "shop", Name: "cart"}, 7}
	if _, err := r.Reconcile(context.Background(), p); err != nil {
		fmt.Println(err)
	}
	for _, s := range tp.Spans() {
		name, _ := s.Attribute(tracing.ObjectNameKey)
		fmt.Println(s.Kind, s.Name, name.AsString())
	}
	// Output:
	// producer create ConfigMap cart-7
	// consumer reconcile Deployment cart
}

func ExampleWrapClient() {
	tp := tracingtest.NewTracerProvider()
	c := tracing.WrapClient(fake.NewClientBuilder().Build(), tracing.WithTracerProvider(tp))
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart"}}

	// Outside of a reconcile, in a span of the program, the object carries the span's context.
	ctx, span := tp.Tracer("shop").Start(context.Background(), "open shop")
	if err := c.Create(ctx, config); err != nil {
		fmt.Println(err)
	}
	span.End()
	sc, ok := tracing.ExtractContext(ctx, config, tracing.WithTracerProvider(tp))
	fmt.Println(tp.Spans()[0].Name, ok, sc.SpanID() == tp.Spans()[0].Context.SpanID())
	// Output: create ConfigMap true true
}

func ExampleWrapDefaulter() {
	tp := tracingtest.NewTracerProvider()
	var own admission.Defaulter[*appsv1.Deployment] // the operator's defaulter, or nil
	d := tracing.WrapDefaulter(own,
		tracing.WithTracerProvider(tp),
		tracing.WithTrustedWriters("system:serviceaccount:shop:operator"),
		tracing.WithUntrustedContext(tracing.UntrustedParent),
	)
	// A test request. An operator passes d to its webhook builder instead.

	ctx := admission.NewContextWithRequest(context.Background(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Create,
		Kind:      metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
	}})
	cart := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart"}}
	if err := d.Default(ctx, cart); err != nil {
		fmt.Println(err)
	}
	sc, ok := tracing.ExtractContext(ctx, cart, tracing.WithTracerProvider(tp))
	span := tp.Spans()[0]
	fmt.Println(span.Kind, span.Name, ok && sc.SpanID() == span.Context.SpanID())
	// Output: server admit Deployment true
}

// A webhook for raw requests is wrapped at its registration.
func ExampleWrapAdmissionHandler() {
	tp := tracingtest.NewTracerProvider()
	own := admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
		return admission.Patched("labelled", jsonpatch.NewOperation("add", "/metadata/labels", map[string]any{"team": "shop"}))
	})
	hook := &webhook.Admission{
		Handler:         tracing.WrapAdmissionHandler(own, tracing.WithTracerProvider(tp)),
		WithContextFunc: tracing.WebhookContext(tracing.WithTracerProvider(tp)),
	}
	// A manager serves it with GetWebhookServer().Register.

	resp := hook.Handle(context.Background(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Create,
		Kind:      metav1.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Cart"},
		Object:    runtime.RawExtension{Raw: []byte(`{"apiVersion":"example.com/v1","kind":"Cart","metadata":{"name":"cart"}}`)},
	}})
	fmt.Println(tp.Spans()[0].Name)
	for _, p := range resp.Patches {
		fmt.Println(p.Operation, p.Path)
	}
	// Output:
	// admit Cart
	// add /metadata/labels
	// add /metadata/annotations
}

// The webhook builder's WithContextFunc calls the function for each request.
func ExampleWebhookContext() {
	read := tracing.WebhookContext(tracing.WithTracerProvider(tracingtest.NewTracerProvider()))
	r := &http.Request{Header: http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}
	fmt.Println(trace.SpanContextFromContext(read(context.Background(), r)).TraceID())
	// Output: 0af7651916cd43dd8448eb211c80319c
}

// With RelationLink, each reconcile is a trace of its own with a link to its change.
func ExampleWithRelation() {
	tp := tracingtest.NewTracerProvider()
	opts := []tracing.Option{tracing.WithTracerProvider(tp), tracing.WithRelation(tracing.RelationLink)}
	ctx, change := tp.Tracer("example").Start(context.Background(), "change")
	cart := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart", UID: "1234", Generation: 1}}
	tracing.InjectContext(ctx, cart, opts...)
	change.End()

	server := fake.NewClientBuilder().WithObjects(cart).Build()
	r := tracing.WrapReconciler(&appsv1.Deployment{}, &reconciler{tracing.WrapClient(server, opts...)}, opts...)
	if _, err := r.Reconcile(context.Background(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(cart)}); err != nil {
		fmt.Println(err)
	}
	for _, s := range tp.Spans() {
		fmt.Println(s.Name, "parent:", s.Parent.IsValid(), "links:", len(s.Links))
	}
	// Output:
	// change parent: false links: 0
	// create ConfigMap parent: true links: 0
	// reconcile Deployment parent: false links: 1
}
