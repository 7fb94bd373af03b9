package tracing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// These tests check the spans when a reconcile's context is used after the reconcile, shared, or
// cancelled.

// TestGoroutineOutlivesReconcile: if a goroutine of the reconciler uses the context after the end,
// its writes are traced. No ended span changes, and memory stays bounded.
func TestGoroutineOutlivesReconcile(t *testing.T) {
	for name, writes := range map[string]bool{"of a reconcile with a span": true, "of one without": false} {
		t.Run(name, func(t *testing.T) {
			tp := tracingtest.NewTracerProvider()
			c := WrapClient(newFakeServer(t, deployment("owner")), WithTracerProvider(tp))
			var leaked context.Context
			r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
				leaked = ctx
				if writes {
					return reconcile.Result{}, c.Create(ctx, configMap("during"))
				}
				return reconcile.Result{}, c.Get(ctx, req.NamespacedName, &appsv1.Deployment{})
			}), WithTracerProvider(tp))
			if _, err := r.Reconcile(t.Context(), requestFor(deployment("owner"))); err != nil {
				t.Fatal(err)
			}
			before := tp.Spans()
			tp.Reset()

			var wg sync.WaitGroup
			for g := range 4 {
				wg.Go(func() { outlive(t, leaked, c, g) })
			}
			wg.Wait()
			checkLate(t, tp, before)
			s := sessionFrom(leaked)
			if len(s.reads) > maxReads || len(s.span.pending) > 0 {
				t.Errorf("kept %d reads and %d attributes, want the bounds", len(s.reads), len(s.span.pending))
			}
		})
	}
}

const lateWrites = 50

// outlive uses a context in every possible way.
func outlive(t *testing.T, ctx context.Context, c client.Client, goroutine int) {
	t.Helper()
	for i := range lateWrites {
		if err := c.Create(ctx, configMap(fmt.Sprintf("late-%d-%d", goroutine, i))); err != nil {
			t.Error(err)
		}
		if err := c.Get(ctx, client.ObjectKey{Namespace: "ns", Name: "owner"}, &appsv1.Deployment{}); err != nil {
			t.Error(err)
		}
		span := trace.SpanFromContext(ctx)
		span.SetAttributes(attribute.Bool("late", true))
		span.AddEvent("late")
		span.RecordError(errors.New("late"))
		span.SetStatus(codes.Error, "late")
		span.SetName("late")
		span.AddLink(trace.Link{SpanContext: sampledContext(1)})
		span.End()
		log.FromContext(ctx).Info("late")
	}
}

// checkLate checks the spans of the late writes. They are children of the reconcile's span if there
// is one.
func checkLate(t *testing.T, tp *tracingtest.TracerProvider, before []tracingtest.Span) {
	t.Helper()
	var parent trace.SpanContext
	for _, s := range before {
		if s.Name == "reconcile Deployment" {
			parent = s.Context
		}
	}
	late := tp.Spans()
	if len(late) != 4*lateWrites || tp.Unended() != 0 {
		t.Errorf("%d late spans, %d unended, want %d and none", len(late), tp.Unended(), 4*lateWrites)
	}
	for _, s := range late {
		if s.Name != "create ConfigMap" || s.Parent.SpanID() != parent.SpanID() {
			t.Fatalf("late span %s has parent %v, want a create with parent %v", s.Name, s.Parent, parent)
		}
	}
}

func TestParallelWritesInOneReconcile(t *testing.T) {
	const n = 32
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)))
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { errs[i] = c.Create(ctx, configMap(fmt.Sprint("child-", i))) })
		}
		wg.Wait()
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(spans) != n+1 {
		t.Fatalf("spans %v, want one reconcile and %d creates", spanNames(spans), n)
	}
	reconciled := spanNamed(t, spans, "reconcile Deployment")
	for _, s := range spans {
		if s.Name == reconciled.Name {
			continue
		}
		isChildOf(t, s, reconciled.Context)
		name, _ := s.Attribute(ObjectNameKey)
		var cm corev1.ConfigMap
		if err := server.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: name.AsString()}, &cm); err != nil {
			t.Fatal(err)
		}
		if uid, _ := s.Attribute(ObjectUIDKey); uid.AsString() != string(cm.UID) {
			t.Errorf("the create of %s has the UID %s, want %s", cm.Name, uid.AsString(), cm.UID)
		}
	}
}

// TestOneClientForManyReconcilers: objects of two kinds with the same name are reconciled at the
// same time.
func TestOneClientForManyReconcilers(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	opts := []Option{WithTracerProvider(tp)}
	server := newFakeServer(t, deployment("same", carries(sampledContext(1), 0)), withContext(configMap("same"), sampledContext(2)))
	c := WrapClient(server, opts...)
	var bothRead sync.WaitGroup
	bothRead.Add(2)
	reconciler := func(obj, other client.Object, kind string) reconcile.Reconciler {
		return WrapReconciler(obj, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			for _, read := range []client.Object{other, obj} {
				if err := c.Get(ctx, req.NamespacedName, read); err != nil {
					return reconcile.Result{}, err
				}
			}
			bothRead.Done()
			bothRead.Wait()
			return reconcile.Result{}, c.Create(ctx, configMap("of-"+kind))
		}), opts...)
	}
	var wg sync.WaitGroup
	for _, r := range []reconcile.Reconciler{
		reconciler(&appsv1.Deployment{}, &corev1.ConfigMap{}, "deployment"),
		reconciler(&corev1.ConfigMap{}, &appsv1.Deployment{}, "configmap"),
	} {
		wg.Go(func() {
			if _, err := r.Reconcile(t.Context(), requestFor(configMap("same"))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range tp.Spans() {
		name, _ := s.Attribute(ObjectNameKey)
		parent := map[string]trace.SpanContext{
			"of-deployment": spanNamed(t, tp.Spans(), "reconcile Deployment").Context,
			"of-configmap":  spanNamed(t, tp.Spans(), "reconcile ConfigMap").Context,
			"same":          sampledContext(1),
		}[name.AsString()]
		if s.Name == "reconcile ConfigMap" {
			parent = sampledContext(2)
		}
		isChildOf(t, s, parent)
	}
	if n := len(tp.Spans()); n != 4 {
		t.Errorf("spans %v, want two reconciles and two creates", spanNames(tp.Spans()))
	}
}

// withContext adds a context to an object of a kind without generations.
func withContext[T client.Object](obj T, sc trace.SpanContext) T {
	c := newConfig(nil)
	obj.SetAnnotations(c.keys.put(obj.GetAnnotations(), c.values(sc, 0, time.Now())))
	return obj
}

// TestContextOfAnotherReconcile: the context decides which span a write belongs to, whatever its
// object. The object then continues in that trace.
func TestContextOfAnotherReconcile(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	opts := []Option{WithTracerProvider(tp)}
	c := WrapClient(newFakeServer(t, deployment("a", carries(sampledContext(1), 0)), deployment("b", carries(sampledContext(2), 0))), opts...)
	edit := func(ctx context.Context, name string) error {
		var d appsv1.Deployment
		if err := c.Get(ctx, client.ObjectKey{Namespace: "ns", Name: name}, &d); err != nil {
			return err
		}
		d.Spec.Replicas = new(*d.Spec.Replicas + 1)
		return c.Update(ctx, &d)
	}
	run := func(name string, f func(context.Context) error) {
		t.Helper()
		r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			if err := c.Get(ctx, req.NamespacedName, &appsv1.Deployment{}); err != nil {
				return reconcile.Result{}, err
			}
			return reconcile.Result{}, f(ctx)
		}), opts...)
		if _, err := r.Reconcile(t.Context(), requestFor(deployment(name))); err != nil {
			t.Fatal(err)
		}
	}
	run("a", func(ctxA context.Context) error {
		run("b", func(context.Context) error { return edit(ctxA, "b") }) // b's reconcile itself does nothing
		return nil
	})
	if got := spanNames(tp.Spans()); len(got) != 2 {
		t.Fatalf("spans %v, want the reconcile of a with the update of b", got)
	}
	reconciled, updated := spanNamed(t, tp.Spans(), "reconcile Deployment"), spanNamed(t, tp.Spans(), "update Deployment")
	isChildOf(t, reconciled, sampledContext(1))
	isChildOf(t, updated, reconciled.Context)
	if want := generationTrace("uid-of-b", 2); len(updated.Links) != 1 || updated.Links[0].SpanContext.TraceID() != want.TraceID() {
		t.Errorf("links %v, want the trace of b's new generation", updated.Links)
	}
	tp.Reset()
	run("b", func(ctx context.Context) error { return c.Create(ctx, configMap("child")) })
	isChildOf(t, spanNamed(t, tp.Spans(), "reconcile Deployment"), updated.Context)
}

// TestReconcileIsCancelled: the timeout of a reconcile cancels a write.
func TestReconcileIsCancelled(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	opts := []Option{WithTracerProvider(tp)}
	c := WrapClient(interceptor.NewClient(newFakeServer(t, deployment("owner")), interceptor.Funcs{
		Create: func(ctx context.Context, _ client.WithWatch, _ client.Object, _ ...client.CreateOption) error {
			<-ctx.Done()
			return fmt.Errorf("sending the request: %w", ctx.Err())
		},
	}), opts...)
	child := configMap("child")
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
		return reconcile.Result{}, c.Create(ctx, child)
	}), opts...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := r.Reconcile(ctx, requestFor(deployment("owner"))); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v, want the context's error", err)
	}
	for _, name := range []string{"create ConfigMap", "reconcile Deployment"} {
		s := spanNamed(t, tp.Spans(), name)
		if kind, _ := s.Attribute(ErrorTypeKey); s.StatusCode != codes.Error || kind.AsString() == "" {
			t.Errorf("%s: status %v, error.type %q", name, s.StatusCode, kind.AsString())
		}
	}
	if tp.Unended() != 0 || len(child.Annotations) > 0 {
		t.Errorf("%d spans unended; the child that was not stored has %v", tp.Unended(), child.Annotations)
	}
}
