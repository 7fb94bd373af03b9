package provider

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// instant is an API server that responds at once, so that a benchmark measures the tracing only.
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

// discard receives spans as a batch processor does, and drops them.
type discard struct{}

func (discard) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (discard) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (discard) Shutdown(context.Context) error                  { return nil }
func (discard) ForceFlush(context.Context) error                { return nil }

func sdkProvider(s sdktrace.Sampler) trace.TracerProvider {
	return sdktrace.NewTracerProvider(sdktrace.WithSampler(IgnoreUntrusted(s)), sdktrace.WithSpanProcessor(discard{}))
}

// workload is a reconcile that reads an object with a fresh trace context. It creates another
// object if it writes.
type workload struct {
	ctx    context.Context //nolint:containedctx // as from a controller, with a logger
	req    reconcile.Request
	server *instant
}

func newWorkload() *workload {
	owner := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "owner", UID: "uid", Generation: 1}}
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled})
	owner.Generation = 0 // the context belongs to the next generation
	tracing.InjectContext(trace.ContextWithSpanContext(context.Background(), sc), owner, tracing.WithTracerProvider(sdkProvider(sdktrace.AlwaysSample())))
	owner.Generation = 1
	return &workload{
		ctx:    logr.NewContext(context.Background(), funcr.New(func(string, string) {}, funcr.Options{})),
		req:    reconcile.Request{NamespacedName: client.ObjectKeyFromObject(owner)},
		server: &instant{object: owner},
	}
}

// wrapped is the workload with package tracing.
func (w *workload) wrapped(tp trace.TracerProvider, writes bool) func() error {
	opts := []tracing.Option{tracing.WithTracerProvider(tp), tracing.WithMaxAge(24 * time.Hour)}
	c := tracing.WrapClient(w.server, opts...)
	r := tracing.WrapReconciler(w.server.object, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		var d appsv1.Deployment
		if err := c.Get(ctx, req.NamespacedName, &d); err != nil || !writes {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, c.Create(ctx, child())
	}), opts...)
	return func() error {
		_, err := r.Reconcile(w.ctx, w.req)
		return err
	}
}

// byHand is the workload with a write, traced without package tracing.
func (w *workload) byHand(tp trace.TracerProvider) func() error {
	r := &handwritten{w.server, tp.Tracer("by hand"), propagation.TraceContext{}}
	return func() error {
		_, err := r.Reconcile(w.ctx, w.req)
		return err
	}
}

func benchmark(b *testing.B, f func() error) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReconcile reads an object and creates another, or only reads. The cost of package
// tracing is the difference between sampled/create and by-hand/create. In addition to the
// hand-written code, package tracing propagates the context and adds ids to log lines, and the
// reconciler contains no tracing code.
func BenchmarkReconcile(b *testing.B) {
	w := newWorkload()
	for _, p := range []struct {
		name string
		tp   trace.TracerProvider
	}{
		{"off", noop.NewTracerProvider()},
		{"unsampled", sdkProvider(sdktrace.NeverSample())},
		{"sampled", sdkProvider(sdktrace.AlwaysSample())},
	} {
		b.Run(p.name+"/no-op", func(b *testing.B) { benchmark(b, w.wrapped(p.tp, false)) })
		b.Run(p.name+"/create", func(b *testing.B) { benchmark(b, w.wrapped(p.tp, true)) })
	}
	b.Run("by-hand/create", func(b *testing.B) { benchmark(b, w.byHand(sdkProvider(sdktrace.AlwaysSample()))) })
}

// BenchmarkClient is one create through the client, outside of any reconcile.
func BenchmarkClient(b *testing.B) {
	w := newWorkload()
	for name, tp := range map[string]trace.TracerProvider{
		"off": noop.NewTracerProvider(), "unsampled": sdkProvider(sdktrace.NeverSample()), "sampled": sdkProvider(sdktrace.AlwaysSample()),
	} {
		c := tracing.WrapClient(w.server, tracing.WithTracerProvider(tp))
		b.Run(name, func(b *testing.B) { benchmark(b, func() error { return c.Create(w.ctx, child()) }) })
	}
}

// BenchmarkInject and BenchmarkExtract measure the two functions that an operator without the
// wrappers calls.
func BenchmarkInject(b *testing.B) {
	w := newWorkload()
	for name, tp := range map[string]trace.TracerProvider{
		"off": noop.NewTracerProvider(), "unsampled": sdkProvider(sdktrace.NeverSample()), "sampled": sdkProvider(sdktrace.AlwaysSample()),
	} {
		ctx, span := tp.Tracer("test").Start(w.ctx, "span")
		obj, opt := child(), tracing.WithTracerProvider(tp)
		b.Run(name, func(b *testing.B) {
			benchmark(b, func() error { tracing.InjectContext(ctx, obj, opt); return nil })
		})
		span.End()
	}
}

func BenchmarkExtract(b *testing.B) {
	w := newWorkload()
	for name, tp := range map[string]trace.TracerProvider{"off": noop.NewTracerProvider(), "on": sdkProvider(sdktrace.AlwaysSample())} {
		opt := tracing.WithTracerProvider(tp)
		b.Run(name, func(b *testing.B) {
			benchmark(b, func() error { tracing.ExtractContext(w.ctx, w.server.object, opt); return nil })
		})
	}
}
