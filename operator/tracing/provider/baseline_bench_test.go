package provider

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// handwritten is what an operator author would write without package tracing: the same reconciler with the same two spans
// and attributes.
type handwritten struct {
	client.Client
	tracer trace.Tracer
}

func (r *handwritten) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var d appsv1.Deployment
	if err := r.Get(ctx, req.NamespacedName, &d); err != nil {
		return reconcile.Result{}, err
	}
	ctx, span := r.tracer.Start(ctx, "reconcile Deployment",
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			tracing.ObjectGroupKey.String("apps"),
			tracing.ObjectVersionKey.String("v1"),
			tracing.ObjectKindKey.String("Deployment"),
			tracing.NamespaceKey.String(d.Namespace),
			tracing.ObjectNameKey.String(d.Name),
			tracing.ObjectUIDKey.String(string(d.UID)),
			tracing.ObjectGenerationKey.Int64(d.Generation),
		))
	defer span.End()
	child := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "child"}}
	if err := r.create(ctx, child); err != nil {
		return reconcile.Result{}, err
	}
	span.SetAttributes(tracing.ReconcileResultKey.String("success"))
	return reconcile.Result{}, nil
}

func (r *handwritten) create(ctx context.Context, child *corev1.ConfigMap) error {
	ctx, span := r.tracer.Start(ctx, "create ConfigMap",
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(
			tracing.ObjectVersionKey.String("v1"),
			tracing.ObjectKindKey.String("ConfigMap"),
			tracing.NamespaceKey.String(child.Namespace),
			tracing.ObjectNameKey.String(child.Name),
		))
	defer span.End()
	return r.Create(ctx, child)
}

func BenchmarkHandwritten(b *testing.B) {
	owner := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "owner", UID: "uid", Generation: 1}}
	tp := sdktrace.NewTracerProvider(sdktrace.WithSampler(IgnoreForeign(sdktrace.AlwaysSample())), sdktrace.WithSpanProcessor(discard{}))
	r := &handwritten{&instant{object: owner}, tp.Tracer("test")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Reconcile(b.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Namespace: "ns", Name: "owner"}}); err != nil {
			b.Fatal(err)
		}
	}
}
