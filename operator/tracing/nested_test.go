package tracing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

func TestNestedReconcilers(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	opts := []Option{WithTracerProvider(tp)}
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)), withContext(configMap("inner"), sampledContext(2)))
	c := WrapClient(server, opts...)
	lines := &logLines{}
	step := func(obj client.Object, child string, then func(context.Context) error) reconcile.Reconciler {
		return WrapReconciler(obj, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			if err := c.Get(ctx, req.NamespacedName, obj); err != nil {
				return reconcile.Result{}, err
			}
			if err := then(ctx); err != nil {
				return reconcile.Result{}, err
			}
			err := c.Create(ctx, configMap(child))
			log.FromContext(ctx).Info(child)
			return reconcile.Result{}, err
		}), opts...)
	}
	inner := step(&corev1.ConfigMap{}, "of-inner", func(context.Context) error { return nil })
	outer := step(&appsv1.Deployment{}, "of-outer", func(ctx context.Context) error {
		_, err := inner.Reconcile(ctx, requestFor(configMap("inner")))
		return err
	})
	if _, err := outer.Reconcile(log.IntoContext(t.Context(), lines.logger()), requestFor(deployment("owner"))); err != nil {
		t.Fatal(err)
	}
	if want, got := []string{"create ConfigMap", "reconcile ConfigMap", "create ConfigMap", "reconcile Deployment"}, spanNames(tp.Spans()); !cmp.Equal(want, got) {
		t.Fatalf("spans %v, want %v", got, want)
	}
	spans := tp.Spans()
	isChildOf(t, spans[1], sampledContext(2))
	isChildOf(t, spans[0], spans[1].Context)
	isChildOf(t, spans[3], sampledContext(1))
	isChildOf(t, spans[2], spans[3].Context)
	for i, id := range []trace.SpanContext{spans[1].Context, spans[3].Context} {
		if want := fmt.Sprintf(`"trace_id"=%q "span_id"=%q`, id.TraceID().String(), id.SpanID().String()); strings.Count(lines.lines[i], "trace_id") != 1 || !strings.Contains(lines.lines[i], want) {
			t.Errorf("line %q, want %s and no other ids", lines.lines[i], want)
		}
	}
}

// TestWrappedTwice: a reconciler that is wrapped twice is one reconcile.
func TestWrappedTwice(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	opts := []Option{WithTracerProvider(tp)}
	c := WrapClient(newFakeServer(t, deployment("owner", carries(sampledContext(1), 0))), opts...)
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		if err := c.Get(ctx, req.NamespacedName, &appsv1.Deployment{}); err != nil {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, errors.New("broken")
	}), opts...)
	if _, err := WrapReconciler(&appsv1.Deployment{}, r, opts...).Reconcile(t.Context(), requestFor(deployment("owner"))); err == nil {
		t.Fatal("Reconcile() = nil, want the error")
	}
	if got := spanNames(tp.Spans()); len(got) != 1 {
		t.Fatalf("spans %v, want one reconcile", got)
	}
	isChildOf(t, tp.Spans()[0], sampledContext(1))
}
