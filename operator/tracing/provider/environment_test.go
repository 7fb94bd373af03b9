package provider

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// lines are the lines of a logger.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) logger() logr.Logger {
	return funcr.New(func(_, args string) { l.add(args) }, funcr.Options{})
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

// of returns the lines of malformed variables. Exporters of earlier tests may log errors at any time.
func (l *lines) of() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, line := range l.all {
		if strings.Contains(line, "OTEL_") {
			out = append(out, line)
		}
	}
	return out
}

// sdkLines collects the SDK's own reports: those of the global error handler, and those of the global logger.
func sdkLines(t *testing.T) *lines {
	t.Helper()
	l := &lines{}
	otel.SetLogger(funcr.New(func(_, args string) {
		if !strings.Contains(args, "created") { // "TracerProvider created" contains the configuration.
			l.add(args)
		}
	}, funcr.Options{Verbosity: 4}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { l.add(err.Error()) }))
	t.Cleanup(func() {
		otel.SetLogger(logr.Discard())
		otel.SetErrorHandler(newErrorHandler(logr.Discard()))
	})
	return l
}

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

const secret = "hunter2"

// malformedCase is one malformed variable.
type malformedCase struct {
	variable, value string
	using           string            // in the line
	with            map[string]string // other, well-formed variables
}

var overHTTP = map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}

func malformedCases(t *testing.T) []malformedCase {
	t.Helper()
	dir := t.TempDir()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	cert, noPEM := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "no.pem")
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := errors.Join(os.WriteFile(cert, content, 0o600), os.WriteFile(noPEM, []byte(secret), 0o600)); err != nil {
		t.Fatal(err)
	}
	with := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	cases := []malformedCase{
		{disabledKey, "yes", "false", nil},
		{serviceNameKey, "a\xffb", "a\uFFFDb", nil},
		{attributesKey, "team=a,", "team=a", nil},
		{attributesKey, "nonsense", "no attributes", nil},
		{attributesKey, "=a,b=c", "b=c", nil},
		{attributesKey, "a=100%,b=c", "a=100%25,b=c", nil},
		{attributesKey, "a=%FF,b=c", "b=c", nil},
		{attributesKey, "a=\xff", "no attributes", nil},
		{attributesKey, strings.Repeat("a,", 5000) + "b=c", "b=c", nil},
		{samplerKey, "sometimes", "parentbased_always_on", nil},
		{samplerKey, "parentbased_", "parentbased_always_on", nil},
		{samplerArgKey, "half", "1", with(samplerKey, "traceidratio")},
		{samplerArgKey, "2", "1", with(samplerKey, "parentbased_linksbased_randomratio")},
		{samplerArgKey, "-0.1", "1", with(samplerKey, "traceidratio")},
		{samplerArgKey, "NaN", "1", with(samplerKey, "traceidratio")},
		{samplerArgKey, "half", "no ratio", nil},
		{exporterKey, "zipkim", "no exporter", nil},
		{exporterKey, "console,zipkim", "console", nil},
		{exporterKey, "console,", "console", nil},
		{exporterKey, "broken", "no exporter", nil},
		{exporterKey, "nil", "no exporter", nil},
		{propagatorsKey, "pigeon", "tracecontext", nil},
		{propagatorsKey, "b3,pigeon", "b3", nil},
		{propagatorsKey, "b3,", "b3", nil},
		{jaegerEndpointKey, "jaeger", "http://localhost:14268/api/traces", with(exporterKey, "jaeger")},
		{jaegerEndpointKey, "http://[::1", "http://localhost:14268/api/traces", with(exporterKey, "jaeger")},
	}
	for _, prefix := range []string{otlpPrefix, tracesPrefix} {
		certName, keyName := prefix+"CLIENT_CERTIFICATE", prefix+"CLIENT_KEY"
		cases = append(cases,
			malformedCase{prefix + "PROTOCOL", "carrier-pigeon", "grpc", nil},
			malformedCase{prefix + "PROTOCOL", "http/json", "http/protobuf", nil},
			malformedCase{prefix + "ENDPOINT", "http://%zz", "localhost:4317", nil},
			malformedCase{prefix + "ENDPOINT", "://collector", "localhost:4317", nil},
			malformedCase{prefix + "ENDPOINT", "http//collector:4317", "localhost:4317", nil},
			malformedCase{prefix + "ENDPOINT", "http://", "localhost:4317", nil},
			malformedCase{prefix + "ENDPOINT", "unix:", "localhost:4317", nil},
			malformedCase{prefix + "ENDPOINT", "http://collector:99999", "localhost:4317", nil},
			malformedCase{prefix + "ENDPOINT", "ftp://collector:21", "localhost:4317", nil},
			malformedCase{prefix + "ENDPOINT", "10.0.0.1:4317", "https://10.0.0.1:4317", nil},
			malformedCase{prefix + "ENDPOINT", "http://user:" + secret + "@collector:port?token=" + secret, "localhost:4317", nil},
			malformedCase{prefix + "ENDPOINT", "collector", "http://localhost:4318", overHTTP},
			malformedCase{prefix + "ENDPOINT", "collector:4318", "https://collector:4318", overHTTP},
			malformedCase{prefix + "ENDPOINT", "dns:///collector:4318", "http://localhost:4318", overHTTP},
			malformedCase{prefix + "HEADERS", secret, "no headers", nil},
			malformedCase{prefix + "HEADERS", "api-key=" + secret + ",", "the other headers", nil},
			malformedCase{prefix + "HEADERS", "api-key=" + secret + "%zz", "no headers", nil},
			malformedCase{prefix + "HEADERS", "api key=" + secret, "no headers", nil},
			malformedCase{prefix + "HEADERS", "api!key=" + secret, "no headers", nil},
			malformedCase{prefix + "HEADERS", "api-key=%C3%A4" + secret, "no headers", nil},
			malformedCase{prefix + "HEADERS", "api-key=a%0Ab" + secret, "no headers", overHTTP},
			malformedCase{prefix + "TIMEOUT", "10s", "10000", nil},
			malformedCase{prefix + "TIMEOUT", "-1", "10000", nil},
			malformedCase{prefix + "TIMEOUT", "9223372036854775807", "10000", nil},
			malformedCase{prefix + "COMPRESSION", "brotli", "none", nil},
			malformedCase{prefix + "INSECURE", "1", "the scheme", nil},
			malformedCase{prefix + "CERTIFICATE", filepath.Join(dir, "absent"), "certificates of the system", nil},
			malformedCase{prefix + "CERTIFICATE", dir, "certificates of the system", nil},
			malformedCase{prefix + "CERTIFICATE", noPEM, "certificates of the system", nil},
			malformedCase{prefix + "CERTIFICATE", "-----BEGIN CERTIFICATE-----\n" + secret, "certificates of the system", nil},
			malformedCase{prefix + "CERTIFICATE", cert, "no TLS", with(prefix+"ENDPOINT", "http://collector:4318", tracesPrefix+"PROTOCOL", "http/protobuf")},
			malformedCase{keyName, secret, "no client certificate", nil},
			malformedCase{certName, cert, "no client certificate", nil},
			malformedCase{certName, filepath.Join(dir, "absent"), "no client certificate", with(keyName, noPEM)},
			malformedCase{keyName, secret, "no client certificate", with(certName, cert)},
			malformedCase{certName, cert, "no client certificate", with(keyName, noPEM)},
		)
	}
	for _, row := range integers {
		for _, value := range []string{"many", "1.5", "0x10", "99999999999999999999", fmt.Sprint(row.high + 1), fmt.Sprint(row.low - 1)} {
			cases = append(cases, malformedCase{row.name, value, row.fallback, nil})
		}
	}
	return cases
}

// registerBroken registers an exporter that can't be created.
var registerBroken = sync.OnceFunc(func() {
	autoexport.RegisterSpanExporter("broken", func(context.Context) (sdktrace.SpanExporter, error) {
		return nil, errors.New("no such\ncollector")
	})
	autoexport.RegisterSpanExporter("nil", func(context.Context) (sdktrace.SpanExporter, error) { return nil, nil }) //nolint:nilnil // on purpose
})

// wantLine checks one line or error of a malformed variable.
func wantLine(t *testing.T, line string, tc malformedCase, lenient bool) {
	t.Helper()
	if !strings.Contains(line, tc.variable) || strings.Contains(line, secret) || strings.Contains(line, "\n") || len(line) > 2000 {
		t.Errorf("New() = %.3000q, want one short line with %s and no secret", line, tc.variable)
	}
	if lenient && !strings.Contains(line, tc.using) {
		t.Errorf("New() = %q, want a line with %q", line, tc.using)
	}
	printed := printable(tc.variable, tc.value)
	if !strings.Contains(line, strings.ReplaceAll(printed, `\`, `\\`)) && !strings.Contains(line, printed) {
		t.Errorf("New() = %q, want a line with the value %q", line, printed)
	}
}

// TestMalformedVariables: New logs one line for each malformed variable, and returns an error in strict mode. The SDK reports
// nothing in addition.
func TestMalformedVariables(t *testing.T) {
	registerBroken()
	for _, tc := range malformedCases(t) {
		t.Run(fmt.Sprintf("%s=%.40q", tc.variable, tc.value), func(t *testing.T) {
			clearEnvironment(t, tc.with)
			t.Setenv(tc.variable, tc.value)
			sdk, own, recorder := sdkLines(t), &lines{}, tracetest.NewSpanRecorder()
			ctx := logr.NewContext(t.Context(), own.logger())
			before := slices.Sorted(slices.Values(os.Environ()))
			p, err := New(ctx, WithSpanProcessor(recorder))
			if err != nil {
				t.Fatal(err)
			}
			if got := own.of(); len(got) != 1 {
				t.Errorf("New() logged %q, want one line", got)
			} else {
				wantLine(t, got[0], tc, true)
			}
			_, span := p.TracerProvider().Tracer("test").Start(t.Context(), "span")
			span.End()
			if len(recorder.Ended()) != 1 {
				t.Errorf("%d spans were recorded, want 1", len(recorder.Ended()))
			}
			shutDownNow(t, p)

			p, err = New(ctx, WithStrict())
			if err == nil || p != nil {
				t.Fatalf("New(WithStrict()) = %v, %v, want an error only", p, err)
			}
			wantLine(t, err.Error(), tc, false)
			if got := sdk.of(); len(got) > 0 || strings.Contains(strings.Join(sdk.all, "\n"), secret) {
				t.Errorf("the SDK logged %q, want nothing", got)
			}
			if diff := cmp.Diff(before, slices.Sorted(slices.Values(os.Environ()))); diff != "" {
				t.Errorf("New() changed the environment (-before +after):\n%s", diff)
			}
		})
	}
}

// shutDownNow does not wait for a collector.
func shutDownNow(t *testing.T, p *Provider) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = p.Shutdown(ctx) // The error is the cancellation.
}

// TestMalformedTogether: many malformed variables have one line each, and WithStrict returns all of them.
func TestMalformedTogether(t *testing.T) {
	set := map[string]string{}
	for _, tc := range malformedCases(t) {
		if strings.HasSuffix(tc.variable, "_CLIENT_CERTIFICATE") {
			tc.value = "/absent" // A certificate is only malformed if its file is.
		} else if strings.HasPrefix(tc.variable, "OTEL_EXPORTER_OTLP_") && tc.with != nil {
			continue
		}
		if _, ok := set[tc.variable]; !ok {
			set[tc.variable] = tc.value
		}
	}
	set[exporterKey] = "otlp,jaeger,zipkim"
	clearEnvironment(t, set)
	sdk, own := sdkLines(t), &lines{}
	ctx := logr.NewContext(t.Context(), own.logger())
	p, err := New(ctx)
	if err != nil {
		t.Fatal(err)
	}
	shutDownNow(t, p)
	logged := own.of()
	_, err = New(ctx, WithStrict())
	if err == nil {
		t.Fatal("New(WithStrict()) = nil, want an error")
	}
	for name := range set {
		n := 0
		for _, line := range logged {
			if strings.Contains(line, fmt.Sprintf(`"variable"=%q`, name)) {
				n++
			}
		}
		if n != 1 || !strings.Contains(err.Error(), "reading "+name+"=") {
			t.Errorf("%s has %d lines, want 1; error %v", name, n, err)
		}
	}
	if len(logged) != len(set) || len(sdk.of()) > 0 {
		t.Errorf("New() logged %d lines for %d variables, and the SDK %q", len(logged), len(set), sdk.of())
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

// TestMalformedVariablesAreSeen: without a logger that is enabled, the lines reach OpenTelemetry's error handler.
func TestMalformedVariablesAreSeen(t *testing.T) {
	for name, tc := range map[string]struct {
		ctx  func(*lines) context.Context
		opts func(*lines) []Option
		own  int // lines of the logger; the others are the handler's
	}{
		"nothing":              {},
		"nil context":          {ctx: func(*lines) context.Context { return nil }},
		"discarding context":   {ctx: func(*lines) context.Context { return logr.NewContext(t.Context(), logr.Discard()) }},
		"logger of context":    {ctx: func(l *lines) context.Context { return logr.NewContext(t.Context(), l.logger()) }, own: 2},
		"WithLogger":           {opts: func(l *lines) []Option { return []Option{WithLogger(l.logger())} }, own: 2},
		"WithLogger, errors":   {opts: func(l *lines) []Option { return []Option{WithLogger(onlyErrors(l))} }, own: 2},
		"context, errors only": {ctx: func(l *lines) context.Context { return logr.NewContext(t.Context(), onlyErrors(l)) }},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t, map[string]string{attributesKey: "team=a,", samplerKey: "sometimes", exporterKey: "none"})
			handled, own := sdkLines(t), &lines{}
			ctx, opts := t.Context(), []Option(nil)
			if tc.ctx != nil {
				ctx = tc.ctx(own)
			}
			if tc.opts != nil {
				opts = tc.opts(own)
			}
			if _, err := New(ctx, opts...); err != nil {
				t.Fatal(err)
			}
			if len(own.of()) != tc.own || len(handled.of()) != 2-tc.own {
				t.Errorf("the logger got %q and the handler %q, want %d and %d lines", own.of(), handled.of(), tc.own, 2-tc.own)
			}
		})
	}
}

func onlyErrors(l *lines) logr.Logger {
	return logr.New(&errorsOnly{l.logger().GetSink()})
}

type errorsOnly struct{ logr.LogSink }

func (*errorsOnly) Enabled(int) bool                 { return false }
func (e *errorsOnly) WithValues(...any) logr.LogSink { return e }

// TestControllerRuntimeLogger: a logger that the operator set is used without an option.
func TestControllerRuntimeLogger(t *testing.T) {
	own := &lines{}
	sink := own.logger().GetSink()
	previous := ctrllog.Log
	ctrllog.Log = logr.New(sink)
	t.Cleanup(func() { ctrllog.Log = previous })
	clearEnvironment(t, map[string]string{samplerKey: "sometimes", exporterKey: "none"})
	handled := sdkLines(t)
	if _, err := New(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(own.of()) != 1 || len(handled.of()) != 0 {
		t.Errorf("the logger got %q and the handler %q, want one line of the logger", own.of(), handled.of())
	}
}

// TestHandlerDoesNotDropMalformed: two Providers in one process, only one of which has a logger.
func TestHandlerDoesNotDropMalformed(t *testing.T) {
	t.Parallel()
	own := &lines{}
	h := newErrorHandler(own.logger())
	for i := range 3 {
		h.Handle(fmt.Errorf("%w; using the default", &malformed{variable: fmt.Sprintf("OTEL_%d", i)}))
	}
	if got := own.of(); len(got) != 3 {
		t.Errorf("logged %q, want three lines", got)
	}
}

// TestDisabledChecksNothing: this is how users disable tracing in a hurry, whatever else is malformed.
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

// TestExporterList: every exporter of the list gets the spans, and a failure of one does not affect the others.
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

// FuzzResourceAttributes: the SDK accepts the corrected value without a report. It has no other attributes than the original,
// and the same if the original is well-formed.
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
		reported := &bytes.Buffer{}
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { reported.WriteString(err.Error()) }))
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
		if reported.Len() > 0 {
			t.Errorf("the SDK reports %q for %q, corrected from %q", reported, r.value, value)
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
