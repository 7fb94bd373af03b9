package tracing_test

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/trace/noop"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// instant is an API server that responds at once, so that a benchmark measures only the tracing.
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

// BenchmarkReconcile reads an object, and either creates another or does not.
func BenchmarkReconcile(b *testing.B) {
	for _, p := range []struct {
		name string
		opt  func() tracing.Option
	}{
		{"off", func() tracing.Option { return tracing.WithTracerProvider(noop.NewTracerProvider()) }},
		{"recorded", func() tracing.Option { return tracing.WithTracerProvider(tracingtest.NewTracerProvider()) }},
	} {
		for _, writes := range []bool{false, true} {
			name := p.name + "/no-op"
			if writes {
				name = p.name + "/create"
			}
			b.Run(name, func(b *testing.B) { benchmarkReconcile(b, writes, p.opt()) })
		}
	}
}

func benchmarkReconcile(b *testing.B, writes bool, opt tracing.Option) {
	b.Helper()
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
