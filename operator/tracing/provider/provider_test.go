package provider

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// environment sets the variables for one test and clears others that New reads.
func environment(t *testing.T, set map[string]string) {
	t.Helper()
	for _, k := range []string{
		"OTEL_SDK_DISABLED", exporterKey, samplerKey, samplerArgKey, propagatorsKey, "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_JAEGER_ENDPOINT",
	} {
		t.Setenv(k, set[k])
	}
}

func TestNewReadsTheEnvironment(t *testing.T) {
	for name, tc := range map[string]struct {
		env map[string]string
		err string
		off bool
	}{
		"default":          {nil, "", false},
		"disabled":         {map[string]string{"OTEL_SDK_DISABLED": "True", exporterKey: "nonsense"}, "", true},
		"otlp over http":   {map[string]string{exporterKey: "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "", false},
		"console":          {map[string]string{exporterKey: "console"}, "", false},
		"none":             {map[string]string{exporterKey: "none"}, "", false},
		"jaeger":           {map[string]string{exporterKey: "jaeger"}, "", false},
		"unknown exporter": {map[string]string{exporterKey: "zipkim"}, `"zipkim"`, false},
		"unknown protocol": {map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon"}, "protocol", false},
		"unknown sampler":  {map[string]string{samplerKey: "sometimes"}, `"sometimes"`, false},
		"ratio, no number": {map[string]string{samplerKey: "linksbased_randomratio", samplerArgKey: "half"}, `"half"`, false},
		"propagators":      {map[string]string{propagatorsKey: "b3, tracecontext"}, "", false},
		"no propagator":    {map[string]string{propagatorsKey: "tracecontext,pigeon"}, `pigeon`, false},
		"off, whatever":    {map[string]string{"OTEL_SDK_DISABLED": "true", propagatorsKey: "pigeon", samplerKey: "sometimes"}, "", true},
		"ratio no number":  {map[string]string{samplerKey: "traceidratio", samplerArgKey: "half"}, `"half"`, false},
		"ratio over one":   {map[string]string{samplerKey: "parentbased_traceidratio", samplerArgKey: "2"}, `"2"`, false},
		"ratio NaN":        {map[string]string{samplerKey: "traceidratio", samplerArgKey: "NaN"}, `"NaN"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, tc.env)
			p, err := New(t.Context(), WithServiceName("svc"), WithStrict())
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("New() error = %v, want one with %s", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, isNoop := p.TracerProvider().(noop.TracerProvider)
			if isNoop != tc.off {
				t.Errorf("no-op: %t, want %t", isNoop, tc.off)
			}
			if err := p.Shutdown(t.Context()); err != nil {
				t.Errorf("shutting down: %v", err)
			}
		})
	}
}

func TestServiceName(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"the operator's":     {nil, "demo"},
		"the environment's":  {map[string]string{"OTEL_SERVICE_NAME": "mine"}, "mine"},
		"among attributes":   {map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs,a=b"}, "theirs"},
		"name wins over all": {map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs", "OTEL_SERVICE_NAME": "mine"}, "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, tc.env)
			v := &variables{}
			res := v.resource(t.Context(), "demo")
			if len(v.problems) > 0 {
				t.Fatal(v.problems)
			}
			for _, kv := range res.Attributes() {
				if kv.Key == "service.name" && kv.Value.AsString() != tc.want {
					t.Errorf("service name %q, want %q", kv.Value.AsString(), tc.want)
				}
			}
		})
	}
}

func TestJaegerExporterPosts(t *testing.T) {
	var posted atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Content-Type") == "application/x-thrift" && strings.Contains(string(body), "a-span") && strings.Contains(string(body), "svc") {
			posted.Add(1)
		}
	}))
	defer collector.Close()
	environment(t, map[string]string{exporterKey: "jaeger", "OTEL_EXPORTER_JAEGER_ENDPOINT": collector.URL})
	p, err := New(t.Context(), WithServiceName("svc"))
	if err != nil {
		t.Fatal(err)
	}
	_, span := p.TracerProvider().Tracer("test").Start(t.Context(), "a-span")
	span.End()
	if err := p.Shutdown(t.Context()); err != nil || posted.Load() != 1 {
		t.Errorf("%d posts with the span and the service, error %v", posted.Load(), err)
	}
}

// TestCollectorDown: ending a span does not block, and Shutdown respects its timeout.
func TestCollectorDown(t *testing.T) {
	release := make(chan struct{})
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer collector.Close()
	defer close(release)
	environment(t, map[string]string{exporterKey: "jaeger", "OTEL_EXPORTER_JAEGER_ENDPOINT": collector.URL})
	p, err := New(t.Context(), WithShutdownTimeout(100*time.Millisecond), WithLogger(logr.Discard()))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 5000 { // more than the queue holds
		_, span := p.TracerProvider().Tracer("test").Start(t.Context(), "a-span")
		span.End()
	}
	if err := p.Shutdown(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutting down: %v, want the timeout", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Shutdown took %v with a collector that hangs", took)
	}
}

func TestErrorsAreLoggedOncePerMinute(t *testing.T) {
	var lines []string
	h := newErrorHandler(funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{}))
	now := time.Unix(1000, 0)
	h.now = func() time.Time { return now }
	for range 60 {
		h.Handle(errors.New("refused"))
		now = now.Add(2 * time.Second)
	}
	if len(lines) != 2 || !strings.Contains(lines[1], `"similarErrorsNotLogged"=29`) {
		t.Errorf("logged %q in two minutes, want two lines, the second after 29 errors without a line", lines)
	}
}

func TestNilProvider(t *testing.T) {
	var p *Provider
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	want := errors.New("run's")
	if err := p.Run(t.Context(), func(context.Context) error { return want }); !errors.Is(err, want) {
		t.Errorf("Run() = %v, want the error of run", err)
	}
	if got := p.Propagator().Fields(); len(got) != 2 || len(p.Options()) == 0 || (&Provider{}).Propagator() == nil {
		t.Errorf("propagator with fields %v, want W3C Trace Context", got)
	}
	if _, ok := p.TracerProvider().(noop.TracerProvider); !ok {
		t.Error("a nil Provider records spans")
	}
}

// TestZeroSpanIDMakesRoot checks an assumption of package tracing: the child of a remote parent
// with a trace id and no span id is a root span in that trace, and a parent-based sampler uses the
// sampler for roots.
func TestZeroSpanIDMakesRoot(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(IgnoreUntrusted(sdktrace.ParentBased(sdktrace.AlwaysSample()))))
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 2, 3}, Remote: true})
	for range 2 {
		_, span := tp.Tracer("test").Start(trace.ContextWithRemoteSpanContext(t.Context(), parent), "span")
		span.End()
	}
	ended := recorder.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans were sampled, want 2", len(ended))
	}
	for _, s := range ended {
		if s.SpanContext().TraceID() != parent.TraceID() || s.Parent().SpanID().IsValid() || !s.SpanContext().IsSampled() {
			t.Errorf("span %v with parent %v, want a sampled root in %s", s.SpanContext(), s.Parent(), parent.TraceID())
		}
	}
	if ended[0].SpanContext().SpanID() == ended[1].SpanContext().SpanID() {
		t.Error("two roots have one span id")
	}
}
