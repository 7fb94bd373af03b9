package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestExportedMetric sends spans to a collector that accepts the first batch and refuses the
// others.
func TestExportedMetric(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests > 1 {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	registry := prometheus.NewRegistry()
	want := func(counts string) {
		t.Helper()
		text := "# HELP " + ExportedMetric + " Spans for which the export has finished; the lost spans have an error_type.\n" +
			"# TYPE " + ExportedMetric + " counter\n" + counts
		if err := testutil.GatherAndCompare(registry, strings.NewReader(text), ExportedMetric); err != nil {
			t.Error(err)
		}
	}
	send := func(spans int) {
		t.Helper()
		p, err := New(t.Context(), WithRegisterer(registry)) // All share the counter of the first.
		if err != nil {
			t.Fatal(err)
		}
		for i := range spans {
			_, span := p.TracerProvider().Tracer("test").Start(t.Context(), fmt.Sprint(i))
			span.End()
		}
		_ = p.Shutdown(t.Context()) // Failures are counted.
	}
	send(0)
	want(ExportedMetric + `{error_type=""} 0` + "\n")
	send(3)
	want(ExportedMetric + `{error_type=""} 3` + "\n")
	send(2)
	want(ExportedMetric + `{error_type=""} 3` + "\n" + ExportedMetric + `{error_type="_OTHER"} 2` + "\n")
}

// TestExportedMetricTaken: another metric of the name is an error in strict mode. Otherwise, New
// logs a line and counts nothing.
func TestExportedMetricTaken(t *testing.T) {
	t.Setenv(exporterKey, "console")
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: ExportedMetric, Help: "another"}))
	if p, err := New(t.Context(), WithRegisterer(registry), WithStrict()); err == nil || p != nil || !strings.Contains(err.Error(), "registering "+ExportedMetric) {
		t.Errorf("provider %v, error %v", p, err)
	}
	logged := &lines{}
	p, err := New(t.Context(), WithRegisterer(registry), WithLogger(logged.logger()))
	if err != nil {
		t.Fatal(err)
	}
	if len(logged.all) != 1 || !strings.Contains(logged.all[0], "registering "+ExportedMetric) {
		t.Errorf("logged %q, want one line with the metric", logged.all)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestErrorType(t *testing.T) {
	for want, err := range map[string]error{
		"":            nil,
		"Unavailable": fmt.Errorf("exporting: %w", status.Error(codes.Unavailable, "down")),
		"timeout":     fmt.Errorf("exporting: %w", context.DeadlineExceeded),
		"_OTHER":      errors.New("404 Not Found"),
	} {
		if got := errorType(err); got != want {
			t.Errorf("errorType(%v) = %q, want %q", err, got, want)
		}
	}
}
