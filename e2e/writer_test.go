package e2e

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/provider"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// TestTwoOperators uses the test's process as a second operator, which changes the spec of a Head
// that the reference operator reconciles. The spans of both processes are one tree.
func TestTwoOperators(t *testing.T) {
	var created creation
	var changed *v1alpha1.Head
	var writer string
	f := newFeature("a change by another operator is one tree", needPods)
	created.assess(f).assess("another operator changes the Head", func(ctx context.Context, s *step) {
		writer = reconcileOwner(ctx, s, func(ctx context.Context, c client.Client) error {
			changed = &v1alpha1.Head{}
			if err := c.Get(ctx, client.ObjectKeyFromObject(created.head), changed); err != nil {
				return err
			}
			changed.Spec.ChildA = harness.OtherImage
			s.Applied(changed.Name)
			return c.Update(ctx, changed)
		})
	}).assess("the writer's trace goes on in the other process", func(ctx context.Context, s *step) {
		if _, err := s.WaitTraceID(ctx, changed, writer, "written.tree", s.ReadyCheck(changed.Namespace, changed.Name)); err != nil {
			s.Fatal(err)
		}
	}).assess("the Head's trace starts with the writer", func(ctx context.Context, s *step) {
		if err := s.Get(ctx, changed.Name, changed); err != nil {
			s.Fatal(err)
		}
		tree, known, err := tracetree.FindCurrent(ctx, s.Observed, changed)
		if err != nil || !known || tree.ID != writer {
			s.Errorf("FindCurrent(%s) = trace %s, %t, %v; want trace %s", changed.Name, tree.ID, known, err, writer)
		}
		var out, progress bytes.Buffer
		if err := s.Sandbox(ctx, &out, &progress, "trace", "head/"+changed.Name, "-n", s.Namespace); err != nil {
			s.Fatalf("sandbox trace: %v\n%s", err, &progress)
		}
		if !strings.Contains(out.String(), "reconcile ConfigMap") || !strings.Contains(out.String(), "converge Head") {
			s.Errorf("sandbox trace printed neither process, or one:\n%s", &out)
		}
	}).run(t)
}

// reconcileOwner runs one traced reconcile of a ConfigMap, and returns its trace after Jaeger has
// it.
func reconcileOwner(ctx context.Context, s *step, f func(context.Context, client.Client) error) (traceID string) {
	s.Helper()
	s.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+s.Status.Jaeger.OTLPGRPC)
	p, err := provider.New(ctx, provider.WithStrict(), provider.WithServiceName("another-operator"))
	if err != nil {
		s.Fatal(err)
	}
	c := tracing.WrapClient(s.Client, p.Options()...)
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: "owner"}}
	if err := s.Client.Create(ctx, owner); err != nil {
		s.Fatal(err)
	}
	r := tracing.WrapReconciler(owner, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		if err := c.Get(ctx, req.NamespacedName, &corev1.ConfigMap{}); err != nil {
			return reconcile.Result{}, err
		}
		err := f(ctx, c)
		traceID = trace.SpanContextFromContext(ctx).TraceID().String()
		return reconcile.Result{}, err
	}), p.Options()...)
	if _, err := r.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(owner)}); err != nil {
		s.Fatal(err)
	}
	if err := p.Shutdown(ctx); err != nil {
		s.Fatal(err)
	}
	return traceID
}
