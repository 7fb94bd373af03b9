package tracing

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestReads: with the option, reads are spans in the reconcile's span. Reads before its start have
// their own times.
func TestReads(t *testing.T) {
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)), configMap("there"))
	var began, wrote time.Time
	spans, err := recordReconcile(t, server, []Option{WithReads()}, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		began = time.Now()
		if err := c.List(ctx, &corev1.ConfigMapList{}); err != nil {
			return err
		}
		if err := c.Get(ctx, client.ObjectKey{Namespace: "ns", Name: "gone"}, configMap("gone")); !apierrors.IsNotFound(err) {
			return err
		}
		wrote = time.Now()
		if err := c.Create(ctx, configMap("new")); err != nil {
			return err
		}
		return c.SubResource("scale").Get(ctx, d, &autoscalingv1.Scale{})
	})
	if err != nil {
		t.Fatal(err)
	}
	reconciled := spanNamed(t, spans, "reconcile Deployment")
	for _, name := range []string{"get Deployment", "list ConfigMap", "get ConfigMap", "create ConfigMap", "get_scale Deployment"} {
		s := spanNamed(t, spans, name)
		isChildOf(t, s, reconciled.Context)
		if s.StatusCode != codes.Unset || name != "create ConfigMap" && s.Kind != trace.SpanKindClient {
			t.Errorf("%s is a %v with status %v", name, s.Kind, s.StatusCode)
		}
	}
	list, gone := spanNamed(t, spans, "list ConfigMap"), spanNamed(t, spans, "get ConfigMap")
	if list.Start.Before(began) || list.End.After(wrote) || gone.Start.Before(list.End) || gone.End.After(wrote) {
		t.Errorf("the list took %v to %v, the get %v to %v, both within %v to %v", list.Start, list.End, gone.Start, gone.End, began, wrote)
	}
	if len(gone.Events) != 1 || gone.Events[0].Name != outcomeNotFound {
		t.Errorf("events %v", gone.Events)
	}
	if name, _ := gone.Attribute(ObjectNameKey); name.AsString() != "gone" {
		t.Errorf("the name is %q", name.AsString())
	}
	if after := spanNamed(t, spans, "get_scale Deployment"); after.Start.Before(wrote) {
		t.Errorf("a read after the start of the reconcile's span starts at %v, want at or after %v", after.Start, wrote)
	}
}

func TestReadsExportNothingAlone(t *testing.T) {
	nothing := func(context.Context, client.Client, *appsv1.Deployment) error { return nil }
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)))
	spans, err := recordReconcile(t, server, []Option{WithReads()}, nothing)
	if err != nil || len(spans) != 0 {
		t.Errorf("a reconcile that only reads recorded %v (%v), want none", spanNames(spans), err)
	}
	tp := tracingtest.NewTracerProvider()
	c := WrapClient(server, WithTracerProvider(tp), WithReads())
	if err := c.List(t.Context(), &appsv1.DeploymentList{}); err != nil || len(tp.Spans()) != 0 {
		t.Errorf("a read without a span in its context recorded %v (%v), want none", spanNames(tp.Spans()), err)
	}
	ctx, span := tp.Tracer("own").Start(t.Context(), "own")
	if err := c.List(ctx, &appsv1.DeploymentList{}); err != nil {
		t.Fatal(err)
	}
	span.End()
	isChildOf(t, spanNamed(t, tp.Spans(), "list Deployment"), span.SpanContext())
}

func TestReadsAreOffByDefault(t *testing.T) {
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)))
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		return c.Create(ctx, configMap("new"))
	})
	if err != nil || len(spans) != 2 {
		t.Errorf("spans %v (%v), want the reconcile's and the create's", spanNames(spans), err)
	}
}

func TestReadErrors(t *testing.T) {
	refused := apierrors.NewForbidden(schema.GroupResource{}, "x", errors.New("not allowed"))
	server := interceptor.NewClient(newFakeServer(t, deployment("owner", carries(sampledContext(1), 0))), interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return refused },
	})
	spans, err := recordReconcile(t, server, []Option{WithReads()}, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		return c.List(ctx, &corev1.ConfigMapList{})
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	s := spanNamed(t, spans, "list ConfigMap")
	if kind, _ := s.Attribute(ErrorTypeKey); s.StatusCode != codes.Error || kind.AsString() != "Forbidden" {
		t.Errorf("status %v, error.type %q", s.StatusCode, kind.AsString())
	}
}

func TestReadSpansAtTheCap(t *testing.T) {
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)))
	spans, err := recordReconcile(t, server, []Option{WithReads()}, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		for range maxWaiting + 4 { // and the Get of recordReconcile
			if err := c.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
				return err
			}
		}
		return c.Create(ctx, configMap("new"))
	})
	if err != nil {
		t.Fatal(err)
	}
	dropped, _ := spanNamed(t, spans, "reconcile Deployment").Attribute(ReconcileSpansDroppedKey)
	if len(spans) != maxWaiting+2 || dropped.AsInt64() != 5 {
		t.Errorf("%d spans and %d reads dropped, want %d and 5", len(spans), dropped.AsInt64(), maxWaiting+2)
	}
}

func TestPendingAttributesAtTheCap(t *testing.T) {
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)))
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		span := trace.SpanFromContext(ctx)
		for i := range 2 * maxAttributes {
			span.SetAttributes(attribute.Int("key", i), attribute.Int(strconv.Itoa(i), i))
		}
		return c.Create(ctx, configMap("new"))
	})
	if err != nil {
		t.Fatal(err)
	}
	s, mine := spanNamed(t, spans, "reconcile Deployment"), 0
	for _, a := range s.Attributes {
		if _, err := strconv.Atoi(string(a.Key)); err == nil || a.Key == "key" {
			mine++
		}
	}
	if last, _ := s.Attribute("key"); mine != maxAttributes || last.AsInt64() != 2*maxAttributes-1 {
		t.Errorf("%d attributes are kept and key is %d, want %d and the last value", mine, last.AsInt64(), maxAttributes)
	}
}

// TestReadDuringTheStart: a read that starts before the reconcile's span and ends after its start
// is recorded.
func TestReadDuringTheStart(t *testing.T) {
	var inside client.Client
	server := interceptor.NewClient(newFakeServer(t, deployment("owner", carries(sampledContext(1), 0))), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if err := inside.Create(ctx, configMap("new")); err != nil {
				return err
			}
			return c.List(ctx, list, opts...)
		},
	})
	spans, err := recordReconcile(t, server, []Option{WithReads()}, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		inside = c
		return c.List(ctx, &corev1.ConfigMapList{})
	})
	if err != nil {
		t.Fatal(err)
	}
	list, created := spanNamed(t, spans, "list ConfigMap"), spanNamed(t, spans, "create ConfigMap")
	isChildOf(t, list, spanNamed(t, spans, "reconcile Deployment").Context)
	if list.Start.After(created.Start) || list.End.Before(created.End) {
		t.Errorf("the list took %v to %v, the create within it %v to %v", list.Start, list.End, created.Start, created.End)
	}
}

// TestReadsOfTheClientAlone: only the client needs the option, not the reconciler.
func TestReadsOfTheClientAlone(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	owner := deployment("owner", carries(sampledContext(1), 0))
	c := WrapClient(newFakeServer(t, owner), WithTracerProvider(tp), WithReads())
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		return reconcile.Result{}, errors.Join(c.Get(ctx, req.NamespacedName, &appsv1.Deployment{}), c.Create(ctx, configMap("new")))
	}), WithTracerProvider(tp))
	if _, err := r.Reconcile(t.Context(), requestFor(owner)); err != nil {
		t.Fatal(err)
	}
	isChildOf(t, spanNamed(t, tp.Spans(), "get Deployment"), spanNamed(t, tp.Spans(), "reconcile Deployment").Context)
}

// TestReadOfAKindThatIsAList: only the kind of a list loses the suffix List.
func TestReadOfAKindThatIsAList(t *testing.T) {
	allow := &unstructured.Unstructured{}
	allow.SetGroupVersionKind(schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "AllowList"})
	tp := tracingtest.NewTracerProvider()
	ctx, span := tp.Tracer("own").Start(t.Context(), "own")
	defer span.End()
	c := WrapClient(newFakeServer(t), WithTracerProvider(tp), WithReads())
	if err := c.Get(ctx, client.ObjectKey{Namespace: "ns", Name: "gone"}, allow); err == nil {
		t.Error("Get() = nil, want an error")
	}
	spanNamed(t, tp.Spans(), "get AllowList")
}
