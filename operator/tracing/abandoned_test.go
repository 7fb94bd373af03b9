package tracing

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/codes"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestClientThatPanics: a panic passes through, all spans end, and the caller's object is
// unchanged.
func TestClientThatPanics(t *testing.T) {
	server := interceptor.NewClient(newFakeServer(t, deployment("owner")), interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { panic("broken") },
	})
	tp := tracingtest.NewTracerProvider()
	c := WrapClient(server, WithTracerProvider(tp))
	obj := configMap("new")
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
		return reconcile.Result{}, c.Create(ctx, obj)
	}), WithTracerProvider(tp))
	func() {
		defer func() {
			if value := recover(); value != "broken" {
				t.Errorf("recover() = %v, want the client's panic", value)
			}
		}()
		_, _ = r.Reconcile(t.Context(), requestFor(deployment("owner")))
	}()
	s := spanNamed(t, tp.Spans(), "create ConfigMap")
	if kind, _ := s.Attribute(ErrorTypeKey); tp.Unended() != 0 || s.StatusCode != codes.Error || kind.AsString() != "panic" {
		t.Errorf("%d spans have not ended; status %v, error.type %q", tp.Unended(), s.StatusCode, kind.AsString())
	}
	if len(obj.Annotations) != 0 {
		t.Errorf("annotations %v, want none", obj.Annotations)
	}
}
