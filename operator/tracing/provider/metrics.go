package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ExportedMetric is the counter that [WithRegisterer] registers. Its name is the Prometheus form of
// otel.sdk.exporter.span.exported from OpenTelemetry's semantic conventions for SDK metrics.
const ExportedMetric = "otel_sdk_exporter_span_exported_total"

// ErrorTypeLabel is the label of [ExportedMetric]: error.type in the Prometheus form. It is empty
// for exported spans. For lost spans it is a gRPC code such as "Unavailable", "timeout", or
// "_OTHER".
const ErrorTypeLabel = "error_type"

// otherError is the error.type of the conventions for errors without a name.
const otherError = "_OTHER"

// countingExporter counts the spans that another exporter exported or lost.
type countingExporter struct {
	sdktrace.SpanExporter
	spans *prometheus.CounterVec
}

// count wraps the exporters with the counter. If registerer is nil or refuses the counter, they
// stay as they are.
func (v *variables) count(exporters []sdktrace.SpanExporter, registerer prometheus.Registerer) {
	if registerer == nil {
		return
	}
	for i, exporter := range exporters {
		counting, err := newCountingExporter(exporter, registerer)
		if err != nil {
			v.problems = append(v.problems, err)
			return
		}
		exporters[i] = counting
	}
}

// newCountingExporter registers the counter, or uses the counter that another Provider of the
// process registered.
func newCountingExporter(exporter sdktrace.SpanExporter, registerer prometheus.Registerer) (*countingExporter, error) {
	spans := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: ExportedMetric,
		Help: "Spans for which the export has finished; the lost spans have an error_type.",
	}, []string{ErrorTypeLabel})
	var registered prometheus.AlreadyRegisteredError
	switch err := registerer.Register(spans); {
	case errors.As(err, &registered):
		existing, is := registered.ExistingCollector.(*prometheus.CounterVec)
		if !is {
			return nil, fmt.Errorf("registering %s: %w", ExportedMetric, err)
		}
		spans = existing
	case err != nil:
		return nil, fmt.Errorf("registering %s: %w", ExportedMetric, err)
	}
	spans.WithLabelValues("") // The series must exist before the first export, so that rates start at 0.
	return &countingExporter{SpanExporter: exporter, spans: spans}, nil
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *countingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.spans.WithLabelValues(errorType(err)).Add(float64(len(spans)))
	return err
}

// errorType returns one of a few names for an error: the code of a gRPC call, "timeout", or
// "_OTHER". It returns "" for nil.
func errorType(err error) string {
	if err == nil {
		return ""
	}
	if s, is := status.FromError(err); is && s.Code() != codes.Unknown {
		return s.Code().String()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	return otherError
}
