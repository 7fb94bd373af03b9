package tracing

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestOwnTrace: a reconciler that continues a trace of its own keeps its reconcile span, in that
// trace.
func TestOwnTrace(t *testing.T) {
	t.Parallel()
	extracted, carried := sampledContext(7), sampledContext(1)
	for name, tc := range map[string]struct {
		owner *appsv1.Deployment
		in    trace.TraceID // of the reconcile
	}{
		"no context of the library": {deployment("owner"), extracted.TraceID()},
		"fresh context":             {deployment("owner", carries(carried, 0)), carried.TraceID()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user := tracingtest.NewTracerProvider()
			spans, err := recordReconcile(t, newFakeServer(t, tc.owner), nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
				ctx, span := user.Tracer("user").Start(trace.ContextWithRemoteSpanContext(ctx, extracted), "sync")
				defer span.End()
				return c.Create(ctx, configMap("created"))
			})
			if err != nil {
				t.Fatal(err)
			}
			sync := spanNamed(t, user.Spans(), "sync")
			isChildOf(t, spanNamed(t, spans, "create ConfigMap"), sync.Context)
			reconcile := spanNamed(t, spans, "reconcile Deployment")
			if reconcile.Context.TraceID() != tc.in {
				t.Errorf("the reconcile is in trace %s, want %s", reconcile.Context.TraceID(), tc.in)
			}
			if tc.in == extracted.TraceID() {
				isChildOf(t, reconcile, sync.Context)
			}
		})
	}
}

// TestOwnTraceWithoutWrites: a reconcile that writes nothing has no span, whatever its context.
func TestOwnTraceWithoutWrites(t *testing.T) {
	t.Parallel()
	spans, err := recordReconcile(t, newFakeServer(t, deployment("owner")), nil, func(ctx context.Context, c client.Client, owner *appsv1.Deployment) error {
		ctx = trace.ContextWithRemoteSpanContext(ctx, sampledContext(7))
		return c.Get(ctx, client.ObjectKeyFromObject(owner), owner)
	})
	if err != nil || len(spans) > 0 {
		t.Errorf("spans %v, error %v, want none", spanNames(spans), err)
	}
}
