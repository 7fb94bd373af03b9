package provider

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// instant is an API server that takes no time: what is measured is the tracing.
type instant struct {
	client.Client
	object *appsv1.Deployment
}

func (c *instant) Get(_ context.Context, _ client.ObjectKey, obj client.Object, _ ...client.GetOption) error {
	c.object.DeepCopyInto(obj.(*appsv1.Deployment))
	return nil
}

func (c *instant) Create(context.Context, client.Object, ...client.CreateOption) error { return nil }
func (c *instant) Scheme() *runtime.Scheme                                             { return scheme.Scheme }

func (c *instant) GroupVersionKindFor(obj runtime.Object) (schema.GroupVersionKind, error) {
	return apiutil.GVKForObject(obj, scheme.Scheme)
}

// discard takes spans as a batch processor does, without keeping them.
type discard struct{}

func (discard) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (discard) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (discard) Shutdown(context.Context) error                  { return nil }
func (discard) ForceFlush(context.Context) error                { return nil }

// BenchmarkReconcile reads an object and creates another, or only reads, with the SDK.
func BenchmarkReconcile(b *testing.B) {
	sampler := func(s sdktrace.Sampler) trace.TracerProvider {
		return sdktrace.NewTracerProvider(sdktrace.WithSampler(IgnoreForeign(s)), sdktrace.WithSpanProcessor(discard{}))
	}
	for _, p := range []struct {
		name string
		tp   trace.TracerProvider
	}{
		{"off", noop.NewTracerProvider()},
		{"unsampled", sampler(sdktrace.NeverSample())},
		{"sampled", sampler(sdktrace.AlwaysSample())},
	} {
		b.Run(p.name+"/no-op", func(b *testing.B) { benchmarkReconcile(b, false, p.tp) })
		b.Run(p.name+"/create", func(b *testing.B) { benchmarkReconcile(b, true, p.tp) })
	}
}

func benchmarkReconcile(b *testing.B, writes bool, tp trace.TracerProvider) {
	b.Helper()
	opt := tracing.WithTracerProvider(tp)
	key := client.ObjectKey{Namespace: "ns", Name: "owner"}
	owner := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, UID: "uid", Generation: 1}}
	c := tracing.WrapClient(&instant{object: owner}, opt)
	r := tracing.WrapReconciler(owner, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		var d appsv1.Deployment
		if err := c.Get(ctx, req.NamespacedName, &d); err != nil || !writes {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, c.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "child"}})
	}), opt)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Reconcile(b.Context(), reconcile.Request{NamespacedName: key}); err != nil {
			b.Fatal(err)
		}
	}
}
