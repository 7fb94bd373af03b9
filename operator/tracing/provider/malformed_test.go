package provider

import (
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
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

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
		cases = append(cases, otlpCases(prefix, cert, noPEM)...)
	}
	for _, row := range integers {
		for _, value := range []string{"many", "1.5", "0x10", "99999999999999999999", fmt.Sprint(row.high + 1), fmt.Sprint(row.low - 1)} {
			cases = append(cases, malformedCase{row.name, value, row.fallback, nil})
		}
	}
	return cases
}

// with returns a map of name and value pairs.
func with(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// otlpCases are the cases of the variables with one prefix. The file cert contains a PEM
// certificate, and the file noPEM does not.
func otlpCases(prefix, cert, noPEM string) []malformedCase {
	dir := filepath.Dir(cert)
	certName, keyName := prefix+"CLIENT_CERTIFICATE", prefix+"CLIENT_KEY"
	return []malformedCase{
		{prefix + "PROTOCOL", "carrier-pigeon", "grpc", nil},
		{prefix + "PROTOCOL", "http/json", "http/protobuf", nil},
		{prefix + "ENDPOINT", "http://%zz", "localhost:4317", nil},
		{prefix + "ENDPOINT", "://collector", "localhost:4317", nil},
		{prefix + "ENDPOINT", "http//collector:4317", "localhost:4317", nil},
		{prefix + "ENDPOINT", "http://", "localhost:4317", nil},
		{prefix + "ENDPOINT", "unix:", "localhost:4317", nil},
		{prefix + "ENDPOINT", "http://collector:99999", "localhost:4317", nil},
		{prefix + "ENDPOINT", "ftp://collector:21", "localhost:4317", nil},
		{prefix + "ENDPOINT", "10.0.0.1:4317", "https://10.0.0.1:4317", nil},
		{prefix + "ENDPOINT", "http://user:" + secret + "@collector:port?token=" + secret, "localhost:4317", nil},
		{prefix + "ENDPOINT", "collector", "http://localhost:4318", overHTTP},
		{prefix + "ENDPOINT", "collector:4318", "https://collector:4318", overHTTP},
		{prefix + "ENDPOINT", "dns:///collector:4318", "http://localhost:4318", overHTTP},
		{prefix + "HEADERS", secret, "no headers", nil},
		{prefix + "HEADERS", "api-key=" + secret + ",", "the other headers", nil},
		{prefix + "HEADERS", "api-key=" + secret + "%zz", "no headers", nil},
		{prefix + "HEADERS", "api key=" + secret, "no headers", nil},
		{prefix + "HEADERS", "api!key=" + secret, "no headers", nil},
		{prefix + "HEADERS", "api-key=%C3%A4" + secret, "no headers", nil},
		{prefix + "HEADERS", "api-key=a%0Ab" + secret, "no headers", overHTTP},
		{prefix + "TIMEOUT", "10s", "10000", nil},
		{prefix + "TIMEOUT", "-1", "10000", nil},
		{prefix + "TIMEOUT", "9223372036854775807", "10000", nil},
		{prefix + "COMPRESSION", "brotli", "none", nil},
		{prefix + "INSECURE", "1", "the scheme", nil},
		{prefix + "CERTIFICATE", filepath.Join(dir, "absent"), "certificates of the system", nil},
		{prefix + "CERTIFICATE", dir, "certificates of the system", nil},
		{prefix + "CERTIFICATE", noPEM, "certificates of the system", nil},
		{prefix + "CERTIFICATE", "-----BEGIN CERTIFICATE-----\n" + secret, "certificates of the system", nil},
		{prefix + "CERTIFICATE", cert, "no TLS", with(prefix+"ENDPOINT", "http://collector:4318", tracesPrefix+"PROTOCOL", "http/protobuf")},
		{keyName, secret, "no client certificate", nil},
		{certName, cert, "no client certificate", nil},
		{certName, filepath.Join(dir, "absent"), "no client certificate", with(keyName, noPEM)},
		{keyName, secret, "no client certificate", with(certName, cert)},
		{certName, cert, "no client certificate", with(keyName, noPEM)},
	}
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

// TestMalformedVariables: New logs one line for each malformed variable, and returns an error in
// strict mode. The SDK reports nothing in addition.
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
			if got := sdk.of(); len(got) > 0 || sdk.contain(secret) {
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

// TestMalformedTogether: many malformed variables have one line each, and WithStrict returns all of
// them.
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
