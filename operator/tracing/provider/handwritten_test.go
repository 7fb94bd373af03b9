package provider

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// handwritten is a reconciler with the tracing code that an operator author would write without
// package tracing. It records the same two spans with the same parents, kinds and attributes. It
// does not propagate the context to the object that it creates.
type handwritten struct {
	client.Client
	tracer      trace.Tracer
	propagators propagation.TextMapPropagator
}

// Reconcile implements reconcile.Reconciler.
func (r *handwritten) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var d appsv1.Deployment
	if err := r.Get(ctx, req.NamespacedName, &d); err != nil {
		return reconcile.Result{}, err
	}
	parent := r.propagators.Extract(ctx, tracing.AnnotationCarrier{Annotations: d.Annotations, Prefix: "tracing.k8s.io/"})
	ctx, span := r.tracer.Start(parent, "reconcile Deployment",
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
	if err := r.create(ctx, child()); err != nil {
		return reconcile.Result{}, err
	}
	span.SetAttributes(tracing.ReconcileResultKey.String("success"), tracing.ReconcileWriteIntentKey.String("desired_state"))
	return reconcile.Result{}, nil
}

func (r *handwritten) create(ctx context.Context, obj *corev1.ConfigMap) error {
	ctx, span := r.tracer.Start(ctx, "create ConfigMap",
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(
			tracing.ObjectVersionKey.String("v1"),
			tracing.ObjectKindKey.String("ConfigMap"),
			tracing.NamespaceKey.String(obj.Namespace),
			tracing.ObjectNameKey.String(obj.Name),
		))
	defer span.End()
	return r.Create(ctx, obj)
}

func child() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "child"}}
}
