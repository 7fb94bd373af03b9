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

// ExportedMetric is the counter that [WithRegisterer] registers: OpenTelemetry's otel.sdk.exporter.span.exported
// (semantic conventions, SDK metrics) under the name that Prometheus gives it.
const ExportedMetric = "otel_sdk_exporter_span_exported_total"

// ErrorTypeLabel is the label of [ExportedMetric]: error.type as Prometheus writes it. It is empty for spans that were sent; else
// it is the code of a gRPC call ("Unavailable"), "timeout", or "_OTHER".
const ErrorTypeLabel = "error_type"

// otherError is what the conventions give an error that has no name of its own.
const otherError = "_OTHER"

// countingExporter counts the spans that another exporter sent, and those that it lost.
type countingExporter struct {
	sdktrace.SpanExporter
	spans *prometheus.CounterVec
}

// newCountingExporter registers the counter, or takes the one that another Provider of the process registered.
func newCountingExporter(exporter sdktrace.SpanExporter, registerer prometheus.Registerer) (*countingExporter, error) {
	spans := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: ExportedMetric,
		Help: "Spans for which the export has finished; with an error_type those that were lost.",
	}, []string{ErrorTypeLabel})
	var there prometheus.AlreadyRegisteredError
	switch err := registerer.Register(spans); {
	case errors.As(err, &there):
		existing, is := there.ExistingCollector.(*prometheus.CounterVec)
		if !is {
			return nil, fmt.Errorf("registering %s: %w", ExportedMetric, err)
		}
		spans = existing
	case err != nil:
		return nil, fmt.Errorf("registering %s: %w", ExportedMetric, err)
	}
	spans.WithLabelValues("") // So that a rate begins at 0.
	return &countingExporter{SpanExporter: exporter, spans: spans}, nil
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *countingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	e.spans.WithLabelValues(errorType(err)).Add(float64(len(spans)))
	return err
}

// errorType is a name of an error's kind, of which there are few: the code of a gRPC call, "timeout", or "_OTHER".
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
