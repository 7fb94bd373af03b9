package tracing

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

func TestNoOpReconcileExportsNothing(t *testing.T) {
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)))
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		trace.SpanFromContext(ctx).SetAttributes(attribute.Bool("seen", true))
		log.FromContext(ctx).Info("nothing to do")
		return c.List(ctx, &appsv1.DeploymentList{})
	})
	if err != nil || len(spans) != 0 {
		t.Errorf("recorded %v, error %v, want nothing", spanNames(spans), err)
	}
}

func TestReconcileSpanStartsLateAndBackdated(t *testing.T) {
	sc := sampledContext(1)
	server := newFakeServer(t, deployment("owner", carries(sc, 0)))
	var began, wrote time.Time
	tp := tracingtest.NewTracerProvider()
	c := WrapClient(server, WithTracerProvider(tp))
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		began = time.Now()
		trace.SpanFromContext(ctx).SetAttributes(attribute.String("mine", "kept"))
		var owner appsv1.Deployment
		if err := c.Get(ctx, req.NamespacedName, &owner); err != nil {
			return reconcile.Result{}, err
		}
		if tp.Unended() != 0 {
			t.Error("the span started before the write")
		}
		wrote = time.Now()
		return reconcile.Result{RequeueAfter: 90 * time.Second}, c.Create(ctx, configMap("child"))
	}), WithTracerProvider(tp))
	if _, err := r.Reconcile(t.Context(), requestFor(deployment("owner"))); err != nil {
		t.Fatal(err)
	}
	spans := tp.Spans()
	reconciled, created := spanNamed(t, spans, "reconcile Deployment"), spanNamed(t, spans, "create ConfigMap")
	isChildOf(t, reconciled, sc)
	isChildOf(t, created, reconciled.Context)
	if reconciled.Start.After(began) || !created.Start.After(reconciled.Start) || created.Start.Before(wrote) {
		t.Errorf("reconcile starts at %v, its code at %v, the write at %v", reconciled.Start, began, created.Start)
	}
	if reconciled.Kind != trace.SpanKindConsumer || reconciled.StatusCode != codes.Unset {
		t.Errorf("kind %v, status %v", reconciled.Kind, reconciled.StatusCode)
	}
	hasAttributes(t, reconciled, map[attribute.Key]any{
		"mine": "kept", ObjectGroupKey: "apps", ObjectVersionKey: "v1", ObjectKindKey: "Deployment", NamespaceKey: "ns",
		ObjectNameKey: "owner", ObjectUIDKey: "uid-of-owner", ObjectGenerationKey: int64(1),
		ReconcileResultKey: "requeue_after", ReconcileRequeueAfterKey: 90.0, ReconcileWriteIntentKey: "desired_state",
	})
}

// hasAttributes checks that a span has exactly these attributes.
func hasAttributes(t *testing.T, s tracingtest.Span, want map[attribute.Key]any) {
	t.Helper()
	for key, value := range want {
		if got, ok := s.Attribute(key); !ok || got.AsInterface() != value {
			t.Errorf("%s: attribute %s is %v, want %v", s.Name, key, got.AsInterface(), value)
		}
	}
	for _, kv := range s.Attributes {
		if _, ok := want[kv.Key]; !ok {
			t.Errorf("%s: attribute %s=%v is unexpected", s.Name, kv.Key, kv.Value.AsInterface())
		}
	}
}

func TestReconcileResults(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "heads"}, "x", errors.New("changed"))
	for name, tc := range map[string]struct {
		result    reconcile.Result
		err       error
		want      string
		status    codes.Code
		errorType string
	}{
		"success":     {reconcile.Result{}, nil, "success", codes.Unset, ""},
		"requeue":     {reconcile.Result{Requeue: true}, nil, "requeue", codes.Unset, ""}, //nolint:staticcheck // deprecated, but operators still return it
		"error":       {reconcile.Result{}, errors.New("broken"), "error", codes.Error, "_OTHER"},
		"error wins":  {reconcile.Result{RequeueAfter: time.Second}, context.DeadlineExceeded, "error", codes.Error, "DeadlineExceeded"},
		"terminal":    {reconcile.Result{}, reconcile.TerminalError(errors.New("no use")), "terminal_error", codes.Error, "_OTHER"},
		"conflict":    {reconcile.Result{}, conflict, "error", codes.Unset, ""},
		"both errors": {reconcile.Result{}, errors.Join(conflict, apierrors.NewBadRequest("no")), "error", codes.Error, "BadRequest"},
	} {
		t.Run(name, func(t *testing.T) {
			tp := tracingtest.NewTracerProvider()
			r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
				if tc.err == nil {
					_, span := tp.Tracer("user").Start(ctx, "step")
					span.End()
				}
				return tc.result, tc.err
			}), WithTracerProvider(tp))
			result, err := r.Reconcile(t.Context(), requestFor(deployment("owner")))
			if result != tc.result || err != tc.err { //nolint:errorlint // the same error value
				t.Fatalf("the wrapper returned %v, %v", result, err)
			}
			s := spanNamed(t, tp.Spans(), "reconcile Deployment")
			if got, _ := s.Attribute(ReconcileResultKey); got.AsString() != tc.want {
				t.Errorf("result %q, want %q", got.AsString(), tc.want)
			}
			if _, ok := s.Attribute(ReconcileRequeueAfterKey); ok {
				t.Error("the span has a delay, but controller-runtime ignores it")
			}
			if got, _ := s.Attribute(ErrorTypeKey); s.StatusCode != tc.status || got.AsString() != tc.errorType {
				t.Errorf("status %v, error type %q, want %v, %q", s.StatusCode, got.AsString(), tc.status, tc.errorType)
			}
		})
	}
}

func TestUserSpanIsChildOfReconcile(t *testing.T) {
	sc := sampledContext(1)
	server := newFakeServer(t, deployment("owner", carries(sc, 0)))
	user := tracingtest.NewTracerProvider()
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, _ client.Client, _ *appsv1.Deployment) error {
		_, span := user.Tracer("user").Start(ctx, "step")
		span.End()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	reconciled := spanNamed(t, spans, "reconcile Deployment")
	isChildOf(t, reconciled, sc)
	isChildOf(t, spanNamed(t, user.Spans(), "step"), reconciled.Context)
}

// TestReconcileWithoutReadIsNewTrace: tracing does not read objects itself.
func TestReconcileWithoutReadIsNewTrace(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	c := WrapClient(newFakeServer(t, deployment("owner", carries(sampledContext(1), 0))), WithTracerProvider(tp))
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
		return reconcile.Result{}, c.Create(ctx, configMap("child"))
	}), WithTracerProvider(tp))
	if _, err := r.Reconcile(t.Context(), requestFor(deployment("owner"))); err != nil {
		t.Fatal(err)
	}
	s := spanNamed(t, tp.Spans(), "reconcile Deployment")
	if s.Parent.TraceID().IsValid() || len(s.Links) != 0 {
		t.Errorf("parent %v, links %v, want a new trace", s.Parent, s.Links)
	}
	if _, ok := s.Attribute(ObjectUIDKey); ok {
		t.Error("the span has a UID, want none without a read")
	}
}

func TestPanicIsRecordedAndGoesOn(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
		panic("boom")
	}), WithTracerProvider(tp))
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("recovered %v, want the reconciler's panic", got)
			}
		}()
		_, _ = r.Reconcile(t.Context(), requestFor(deployment("owner")))
	}()
	s := spanNamed(t, tp.Spans(), "reconcile Deployment")
	if got, _ := s.Attribute(ReconcileResultKey); got.AsString() != "panic" || s.StatusCode != codes.Error || !strings.Contains(s.StatusMessage, "boom") {
		t.Errorf("result %q, status %v %q", got.AsString(), s.StatusCode, s.StatusMessage)
	}
	if len(s.Events) != 1 || s.Events[0].Name != "exception" {
		t.Errorf("events %v, want one exception", s.Events)
	}
}

func TestGoexitEndsTheSpan(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
		runtime.Goexit()
		return reconcile.Result{}, nil
	}), WithTracerProvider(tp))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = r.Reconcile(context.WithoutCancel(t.Context()), requestFor(deployment("owner")))
	}()
	<-done
	if s := spanNamed(t, tp.Spans(), "reconcile Deployment"); s.StatusCode != codes.Error {
		t.Errorf("status %v", s.StatusCode)
	}
}

func TestContextUsedAfterReconcileStartsNothing(t *testing.T) {
	var leaked context.Context
	server := newFakeServer(t, deployment("owner"))
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, _ client.Client, _ *appsv1.Deployment) error {
		leaked = ctx
		return nil
	})
	if sc := trace.SpanContextFromContext(leaked); err != nil || sc.IsValid() || len(spans) != 0 {
		t.Errorf("span context %v and spans %v after the end", sc, spanNames(spans))
	}
}

type objectReconciler func(context.Context, *appsv1.Deployment) (reconcile.Result, error)

func (f objectReconciler) Reconcile(ctx context.Context, d *appsv1.Deployment) (reconcile.Result, error) {
	return f(ctx, d)
}

func TestObjectReconciler(t *testing.T) {
	sc := sampledContext(1)
	tp := tracingtest.NewTracerProvider()
	opts := []Option{WithTracerProvider(tp)}
	owner := deployment("owner", carries(sc, 0))
	server := newFakeServer(t, owner)
	c := WrapClient(server, opts...)
	inner := WrapObjectReconciler[*appsv1.Deployment](objectReconciler(func(ctx context.Context, d *appsv1.Deployment) (reconcile.Result, error) {
		return reconcile.Result{}, c.Create(ctx, configMap("child-"+time.Now().Format("150405.000000000")))
	}), opts...)
	for name, run := range map[string]func() error{
		"plain": func() error { _, err := inner.Reconcile(t.Context(), owner); return err },
		"inside a wrapped reconciler that reads past the wrapped client": func() error {
			r := WrapReconciler(&appsv1.Deployment{}, reconcile.AsReconciler(server, inner), opts...)
			_, err := r.Reconcile(t.Context(), requestFor(owner))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			tp.Reset()
			if err := run(); err != nil {
				t.Fatal(err)
			}
			if got := spanNames(tp.Spans()); len(got) != 2 {
				t.Errorf("spans %v, want one reconcile and one create", got)
			}
			isChildOf(t, spanNamed(t, tp.Spans(), "reconcile Deployment"), sc)
		})
	}
}
