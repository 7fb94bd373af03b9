package provider

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// TestSamplerSeesLinksAtStart uses package tracing. A reconcile with a stale stored context is the
// root of a new trace, and only the link decides whether it is sampled.
func TestSamplerSeesLinksAtStart(t *testing.T) {
	for sampler, want := range map[string]map[trace.TraceFlags]int{
		"parentbased_linksbased_always_off": {0: 0, trace.FlagsSampled: 2},
		"parentbased_always_off":            {0: 0, trace.FlagsSampled: 0},
		"parentbased_linksbased_always_on":  {0: 2, trace.FlagsSampled: 2},
	} {
		for flags, spans := range want {
			environment(t, map[string]string{samplerKey: sampler, exporterKey: "none"})
			recorder := tracetest.NewSpanRecorder()
			p, err := New(t.Context(), WithSpanProcessor(recorder))
			if err != nil {
				t.Fatal(err)
			}
			stored := spanContext(7, 7, flags, true)
			reconcileStale(t, stored, append(p.Options(), tracing.WithMaxAge(time.Nanosecond)))
			ended := recorder.Ended()
			if len(ended) != spans {
				t.Fatalf("%s, flags %s: %d spans were sampled, want %d", sampler, flags, len(ended), spans)
			}
			if spans > 0 {
				root := ended[len(ended)-1]
				if links := root.Links(); len(links) != 1 || links[0].SpanContext.TraceID() != stored.TraceID() || root.Parent().IsValid() {
					t.Errorf("%s with parent %v and links %v, want a root with a link to the stored context", root.Name(), root.Parent(), links)
				}
			}
			if err := p.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
}

// reconcileStale runs a reconcile for an object with this context. The reconcile creates an object.
func reconcileStale(t *testing.T, stored trace.SpanContext, opts []tracing.Option) {
	t.Helper()
	w := newWorkload()
	w.server.object.Generation = 0
	tracing.InjectContext(trace.ContextWithSpanContext(t.Context(), stored), w.server.object, opts...)
	w.server.object.Generation = 1
	reconcileOnce(t, w, opts)
}

// TestProcessesAgreeOnGenerations uses package tracing. Without a stored context, two processes
// with random samplers make the same decision for the reconciles of one generation.
func TestProcessesAgreeOnGenerations(t *testing.T) {
	environment(t, map[string]string{samplerKey: "parentbased_randomratio", samplerArgKey: "0.5", exporterKey: "none"})
	recorders := make([]*tracetest.SpanRecorder, 2)
	providers := make([]*Provider, len(recorders))
	for i := range recorders {
		recorders[i] = tracetest.NewSpanRecorder()
		var err error
		if providers[i], err = New(t.Context(), WithSpanProcessor(recorders[i])); err != nil {
			t.Fatal(err)
		}
	}
	const objects = 40
	sampled := 0
	for n := range objects {
		decided := map[int]bool{}
		for i, p := range providers {
			before := len(recorders[i].Ended())
			w := newWorkload()
			w.server.object.UID, w.server.object.Annotations = types.UID(strconv.Itoa(n)), nil
			reconcileOnce(t, w, p.Options())
			decided[len(recorders[i].Ended())-before] = true
		}
		if len(decided) != 1 {
			t.Errorf("object %d: the processes export %v spans", n, decided)
		}
		if decided[2] {
			sampled++
		}
	}
	if sampled == 0 || sampled == objects {
		t.Errorf("%d of %d generations are sampled, want about half", sampled, objects)
	}
	for _, p := range providers {
		if err := p.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// reconcileOnce runs a reconcile that creates an object.
func reconcileOnce(t *testing.T, w *workload, opts []tracing.Option) {
	t.Helper()
	c := tracing.WrapClient(w.server, opts...)
	r := tracing.WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		if err := c.Get(ctx, req.NamespacedName, &appsv1.Deployment{}); err != nil {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, c.Create(ctx, child())
	}), opts...)
	if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(w.server.object)}); err != nil {
		t.Fatal(err)
	}
}

// TestPropagators: the propagators of OTEL_PROPAGATORS decide the annotations.
func TestPropagators(t *testing.T) {
	for value, want := range map[string][]string{
		"tracecontext":     {"traceparent"},
		"b3, tracecontext": {"b3", "traceparent"},
		"":                 {"traceparent"},
		"jaeger":           {"uber-trace-id"},
		"none":             {},
		"baggage":          {},
	} {
		environment(t, map[string]string{propagatorsKey: value, exporterKey: "none"})
		p, err := New(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sc := spanContext(1, 1, trace.FlagsSampled, false)
		obj := child()
		tracing.InjectContext(trace.ContextWithSpanContext(t.Context(), sc), obj, p.Options()...)
		got := obj.GetAnnotations()
		for _, key := range want {
			if got["tracing.k8s.io/"+key] == "" {
				t.Errorf("%q: annotations %v, want %s among them", value, got, key)
			}
		}
		if len(want) == 0 && len(got) > 0 {
			t.Errorf("%q: annotations %v, want none, not even an origin", value, got)
		}
		back, ok := tracing.ExtractContext(t.Context(), obj, p.Options()...)
		if ok != (len(want) > 0) || ok && (back.TraceID() != sc.TraceID() || back.SpanID() != sc.SpanID()) {
			t.Errorf("%q: read back %v", value, back)
		}
		if err := p.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	environment(t, map[string]string{"OTEL_SDK_DISABLED": "true"})
	p, err := New(t.Context())
	if _, isW3C := p.Propagator().(propagation.TraceContext); err != nil || !isW3C {
		t.Errorf("disabled: propagator %v, error %v, want W3C Trace Context", p.Propagator(), err)
	}
}

// TestRunFlushes: Run exports spans although the context was cancelled before run returned.
func TestRunFlushes(t *testing.T) {
	environment(t, map[string]string{exporterKey: "none"})
	recorder := &shutdownRecorder{SpanRecorder: tracetest.NewSpanRecorder()}
	p, err := New(t.Context(), WithSpanProcessor(recorder))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	err = p.Run(ctx, func(ctx context.Context) error {
		_, span := p.TracerProvider().Tracer("test").Start(ctx, "last")
		stop()
		span.End()
		return nil
	})
	if err != nil || recorder.spans != 1 || recorder.err != nil {
		t.Errorf("error %v; shut down with %d spans and a context with error %v, want 1 and nil", err, recorder.spans, recorder.err)
	}
}

// TestRunReturnsItsOwnError: Run returns the error of run, and lost spans are not an error.
func TestRunReturnsItsOwnError(t *testing.T) {
	environment(t, map[string]string{exporterKey: "none"})
	var lines []string
	t.Cleanup(func() { otel.SetErrorHandler(newErrorHandler(logr.Discard())) })
	p, err := New(t.Context(), WithSpanProcessor(failing{tracetest.NewSpanRecorder()}),
		WithLogger(funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})))
	if err != nil {
		t.Fatal(err)
	}
	want := errors.New("the manager's")
	if got := p.Run(t.Context(), func(context.Context) error { return want }); !errors.Is(got, want) || errors.Is(got, errLost) {
		t.Errorf("error %v, want only the manager's", got)
	}
	if len(lines) != 1 || !strings.Contains(lines[0], errLost.Error()) {
		t.Errorf("logged %q, want the error of Shutdown", lines)
	}
}

var errLost = errors.New("spans are lost")

type failing struct{ *tracetest.SpanRecorder }

func (failing) Shutdown(context.Context) error { return errLost }

// shutdownRecorder records its number of spans, and whether the context was alive, when it was shut
// down.
type shutdownRecorder struct {
	*tracetest.SpanRecorder
	spans int
	err   error
}

func (r *shutdownRecorder) Shutdown(ctx context.Context) error {
	r.spans, r.err = len(r.Ended()), ctx.Err()
	return r.SpanRecorder.Shutdown(ctx)
}
