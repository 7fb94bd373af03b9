package tracing

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// pointerPropagator panics if it is a nil pointer.
type pointerPropagator struct{ propagation.TraceContext }

// TestNilOptions: an option with a nil value is ignored.
func TestNilOptions(t *testing.T) {
	var provider *tracingtest.TracerProvider
	var propagator *pointerPropagator
	given := tracingtest.NewTracerProvider()
	for name, option := range map[string]Option{
		"nil":                      nil,
		"nil provider":             WithTracerProvider(nil),
		"typed nil provider":       WithTracerProvider(provider),
		"nil propagator":           WithPropagators(nil),
		"typed nil propagator":     WithPropagators(propagator),
		"nil scheme":               WithScheme(nil),
		"no prefix":                WithAnnotationPrefix(""),
		"no kinds":                 WithConverge(),
		"nil kind":                 WithConverge(nil),
		"typed nil kind":           WithConverge((*appsv1.Deployment)(nil)),
		"no such relation":         WithRelation(99),
		"no such untrusted policy": WithUntrustedContext(99),
	} {
		t.Run(name, func(t *testing.T) {
			given.Reset()
			opts := []Option{WithTracerProvider(given), option}
			spans, err := recordReconcile(t, newFakeServer(t, deployment("owner", carries(sampledContext(1), 0))), opts,
				func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
					return c.Create(ctx, configMap("child"))
				})
			if spans = append(spans, given.Spans()...); err != nil || len(spans) != 2 {
				t.Fatalf("spans %v, error %v", spanNames(spans), err)
			}
			isChildOf(t, spanNamed(t, spans, "reconcile Deployment"), sampledContext(1))
			got := admitCase{obj: submitted(bears(sampledContext(5))), opts: []Option{option}}.run(t)
			if s := spanNamed(t, got.spans, "admit Deployment"); len(s.Links) != 1 || got.stored().sc.SpanID() != s.Context.SpanID() {
				t.Errorf("admitted with %v, annotations %v", s, got.obj.Annotations)
			}
		})
	}
}

// TestNilObjects: InjectContext and ExtractContext accept nil objects.
func TestNilObjects(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	opts := []Option{WithTracerProvider(tp)}
	ctx, span := tp.Tracer("test").Start(t.Context(), "span")
	defer span.End()
	var none *appsv1.Deployment
	for name, obj := range map[string]client.Object{"nil": nil, "nil pointer": none} {
		InjectContext(ctx, obj, opts...)
		if sc, ok := ExtractContext(ctx, obj, opts...); ok || sc.IsValid() {
			t.Errorf("%s: extracted %v", name, sc)
		}
	}
	InjectContext(ctx, none)
	if _, ok := ExtractContext(ctx, none); ok {
		t.Error("extracted from nothing while tracing is off")
	}
}

// TestNilCarrier: a carrier without a map stays empty.
func TestNilCarrier(t *testing.T) {
	c := AnnotationCarrier{Prefix: "p/"}
	c.Set("key", "value")
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(t.Context(), sampledContext(1)), c)
	if c.Get("key") != "" || len(c.Keys()) != 0 || c.Annotations != nil {
		t.Errorf("the carrier has %v", c.Annotations)
	}
}

// TestNilReconciled: reconciles without a known object are traced.
func TestNilReconciled(t *testing.T) {
	broken := errors.New("broken")
	fails := reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) { return reconcile.Result{}, broken })
	var none *appsv1.Deployment
	object := objectReconciler(func(_ context.Context, d *appsv1.Deployment) (reconcile.Result, error) {
		if d != nil {
			t.Error("the object is not nil")
		}
		return reconcile.Result{}, broken
	})
	for name, tc := range map[string]struct {
		run  func(...Option) error
		want string
	}{
		"nil": {func(o ...Option) error {
			return second(WrapReconciler(nil, fails, o...).Reconcile(t.Context(), requestFor(deployment("owner"))))
		}, "reconcile"},
		"nil pointer": {func(o ...Option) error {
			return second(WrapReconciler(none, fails, o...).Reconcile(t.Context(), requestFor(deployment("owner"))))
		}, "reconcile Deployment"},
		"nil object": {func(o ...Option) error {
			return second(WrapObjectReconciler[*appsv1.Deployment](object, o...).Reconcile(t.Context(), nil))
		}, "reconcile Deployment"},
		"nil object of any kind": {func(o ...Option) error {
			return second(WrapObjectReconciler[client.Object](anyReconciler{broken}, o...).Reconcile(t.Context(), nil))
		}, "reconcile"},
	} {
		tp := tracingtest.NewTracerProvider()
		if err := tc.run(WithTracerProvider(tp)); !errors.Is(err, broken) {
			t.Errorf("%s: error %v", name, err)
		}
		if diff := cmp.Diff([]string{tc.want}, spanNames(tp.Spans())); diff != "" {
			t.Errorf("%s: spans differ (-want +got):\n%s", name, diff)
		} else if s := tp.Spans()[0]; s.Parent.IsValid() {
			t.Errorf("%s: parent %v, want a root", name, s.Parent)
		}
		if err := tc.run(); !errors.Is(err, broken) {
			t.Errorf("%s: error %v while tracing is off", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

type anyReconciler struct{ err error }

func (r anyReconciler) Reconcile(context.Context, client.Object) (reconcile.Result, error) {
	return reconcile.Result{}, r.err
}

// TestNilAdmission: without an object or a request the webhook does not trace, and calls the inner
// webhook.
func TestNilAdmission(t *testing.T) {
	refused := errors.New("refused")
	tp := tracingtest.NewTracerProvider()
	calls := 0
	d := WrapDefaulter(defaulterFunc(func(_ context.Context, d *appsv1.Deployment) error {
		if calls++; d != nil {
			t.Error("the object is not nil")
		}
		return refused
	}), WithTracerProvider(tp))
	ctx := admission.NewContextWithRequest(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create}})
	if err := d.Default(ctx, nil); !errors.Is(err, refused) || calls != 1 || len(tp.Spans()) != 0 {
		t.Errorf("error %v, %d calls, spans %v", err, calls, spanNames(tp.Spans()))
	}
	if err := WrapDefaulter[*appsv1.Deployment](nil, WithTracerProvider(tp)).Default(ctx, nil); err != nil {
		t.Errorf("nil and nil: %v", err)
	}
	if err := WrapDefaulter[client.Object](nil, WithTracerProvider(tp)).Default(ctx, nil); err != nil {
		t.Errorf("nil of any kind: %v", err)
	}
	for name, r := range map[string]*http.Request{"nil": nil, "without headers": {}} {
		if got := WebhookContext(WithTracerProvider(tp))(ctx, r); trace.SpanContextFromContext(got).IsValid() {
			t.Errorf("%s request: the context is %v", name, got)
		}
	}
}
