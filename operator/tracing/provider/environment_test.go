package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// clearEnvironment unsets all OTEL_* variables and sets some.
func clearEnvironment(t *testing.T, set map[string]string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, value) // restores it after the test
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, value := range set {
		t.Setenv(name, value)
	}
}

// TestWellFormedVariables: nothing is logged, and WithStrict returns a Provider.
func TestWellFormedVariables(t *testing.T) {
	for _, tc := range []struct{ variable, value string }{
		{disabledKey, "FALSE"},
		{serviceNameKey, "größe"},
		{attributesKey, "team=a,b=%2C,c="},
		{samplerKey, "ParentBased_Always_Off"},
		{samplerArgKey, "0.5"},
		{exporterKey, " Console "},
		{exporterKey, "otlp, console,none,otlp"},
		{propagatorsKey, "b3, TraceContext"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "GRPC"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4317/"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "dns:///collector:4317"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "unix:///run/collector.sock"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://[::1]:4317"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20a=,b=c"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", " 0 "},
		{"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"},
		{"OTEL_EXPORTER_OTLP_INSECURE", "True"},
		{"OTEL_BSP_SCHEDULE_DELAY", " 10 "},
		{"OTEL_SPAN_LINK_COUNT_LIMIT", "-1"},
		{"OTEL_EXPORTER_JAEGER_ENDPOINT", "unused"},
		{attributesKey, "  "},
		{exporterKey, "  "},
	} {
		t.Run(fmt.Sprintf("%s=%q", tc.variable, tc.value), func(t *testing.T) {
			clearEnvironment(t, map[string]string{tc.variable: tc.value})
			sdk := sdkLines(t)
			p, err := New(t.Context(), WithStrict())
			if err != nil {
				t.Fatal(err)
			}
			shutDownNow(t, p)
			if got := sdk.of(); len(got) > 0 {
				t.Errorf("the SDK logged %q, want nothing", got)
			}
		})
	}
}

// TestDisabledChecksNothing: this is how users disable tracing in a hurry, whatever else is
// malformed.
func TestDisabledChecksNothing(t *testing.T) {
	clearEnvironment(t, map[string]string{
		disabledKey: " True ", samplerKey: "sometimes", exporterKey: "zipkim", propagatorsKey: "pigeon", "OTEL_BSP_MAX_QUEUE_SIZE": "-1",
	})
	handled := sdkLines(t)
	p, err := New(t.Context(), WithStrict())
	if err != nil || p.sdk != nil || len(handled.of()) > 0 {
		t.Errorf("New() = %v, %v and logged %q, want a Provider that is off", p, err, handled.of())
	}
}

type nilProcessor struct{ sdktrace.SpanProcessor }

type nilOption struct{ Option }

// TestNilArguments: New and the methods of Provider accept nil.
func TestNilArguments(t *testing.T) {
	clearEnvironment(t, map[string]string{exporterKey: "console"})
	var registry *prometheus.Registry
	p, err := New(nil, nil, (*nilOption)(nil), optionFunc(nil), WithLogger(logr.Logger{}), WithSampler((*randomRatio)(nil)), //nolint:staticcheck // a nil context is documented
		WithSpanProcessor((*nilProcessor)(nil)), WithSpanProcessor(nil), WithRegisterer(registry), WithRegisterer(nil), WithServiceName(""))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(nil, func(ctx context.Context) error { return ctx.Err() }); err != nil { //nolint:staticcheck // as above
		t.Error(err)
	}
	if err := p.Shutdown(nil); err != nil { //nolint:staticcheck // as above
		t.Error(err)
	}
	if LinksBased((*randomRatio)(nil)).Description() == "" || IgnoreUntrusted((*randomRatio)(nil)).Description() == "" {
		t.Error("a sampler around a nil pointer has no description")
	}
}

// TestCancelledContext: an operator that is stopped while it starts has a Provider, too.
func TestCancelledContext(t *testing.T) {
	clearEnvironment(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, err := New(ctx, WithStrict())
	if err != nil {
		t.Fatal(err)
	}
	shutDownNow(t, p)
}

// TestExporterList: every exporter of the list gets the spans, and a failure of one does not affect
// the others.
func TestExporterList(t *testing.T) {
	registerBroken()
	posts := make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { posts <- r.URL.Path }))
	defer server.Close()
	clearEnvironment(t, map[string]string{
		exporterKey: "otlp,jaeger,broken,nil", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
		"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, jaegerEndpointKey: server.URL + "/jaeger",
	})
	p, err := New(t.Context(), WithLogger(logr.Discard()))
	if err != nil {
		t.Fatal(err)
	}
	_, span := p.TracerProvider().Tracer("test").Start(t.Context(), "span")
	span.End()
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	close(posts)
	got := map[string]bool{}
	for path := range posts {
		got[path] = true
	}
	if !got["/v1/traces"] || !got["/jaeger"] {
		t.Errorf("posts to %v, want /v1/traces and /jaeger", got)
	}
}

// TestGoodHeadersAreSent: the well-formed headers of a malformed list reach the collector.
func TestGoodHeadersAreSent(t *testing.T) {
	got := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	defer server.Close()
	clearEnvironment(t, map[string]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": server.URL,
		"OTEL_EXPORTER_OTLP_HEADERS": "api-key=" + secret + ",broken,other=a%0Ab",
	})
	p, err := New(t.Context(), WithLogger(logr.Discard()))
	if err != nil {
		t.Fatal(err)
	}
	_, span := p.TracerProvider().Tracer("test").Start(t.Context(), "span")
	span.End()
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if header := <-got; header.Get("Api-Key") != secret || header.Get("Other") != "" {
		t.Errorf("headers %v, want api-key only", header)
	}
}

// TestConcurrentNew: each call sees the malformed variable, and the environment is as before.
func TestConcurrentNew(t *testing.T) {
	clearEnvironment(t, map[string]string{attributesKey: "team=a,", exporterKey: "none"})
	own := &lines{}
	ctx := logr.NewContext(t.Context(), own.logger())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if _, err := New(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(own.of()); got != 800 || os.Getenv(attributesKey) != "team=a," {
		t.Errorf("logged %d lines, want 800; the variable is %q", got, os.Getenv(attributesKey))
	}
}

// FuzzResourceAttributes: the SDK accepts the corrected value without a report. It has no other
// attributes than the original, and the same if the original is well-formed.
func FuzzResourceAttributes(f *testing.F) {
	for _, seed := range []string{"team=a,", "a=100%", "=", "a=%FF", "a==b,c", "\xff=a", "a=%2C,b=c", " a = b "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		value = strings.TrimSpace(value)
		if value == "" || strings.ContainsRune(value, 0) {
			return
		}
		r := resourceAttributes(value)
		if again := resourceAttributes(r.value); r.value != "" && (again.reason != "" || again.value != r.value) {
			t.Errorf("resourceAttributes(%q) = %q, which is malformed: %s", value, r.value, again.reason)
		}
		var reported atomic.Pointer[string]
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
			if export := (*url.Error)(nil); errors.As(err, &export) {
				return // of an earlier test, whose exporter still ends
			}
			reported.Store(new(err.Error()))
		}))
		found := func(value string) map[string]string {
			t.Setenv(attributesKey, value)
			res := (&variables{}).resource(t.Context(), "")
			out := map[string]string{}
			for _, kv := range res.Attributes() {
				out[string(kv.Key)] = kv.Value.AsString()
			}
			return out
		}
		corrected := found(r.value)
		if report := reported.Load(); report != nil {
			t.Errorf("the SDK reports %q for %q, corrected from %q", *report, r.value, value)
		}
		original := found(value)
		for key, got := range corrected {
			if want, ok := original[key]; key != "service.instance.id" && (!ok || r.reason == "" && got != want) {
				t.Errorf("attribute %q of %q is %q, want %q as in %q", key, r.value, got, want, value)
			}
		}
		if r.reason == "" && len(corrected) != len(original) {
			t.Errorf("attributes of %q = %v, want %v", value, corrected, original)
		}
	})
}
