package provider

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/exporters/jaeger" //nolint:staticcheck // deprecated upstream; users still run collectors that need it
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const exporterKey = "OTEL_TRACES_EXPORTER"

// The registry of autoexport is one per process and knows no way to ask what is in it, so this is the
// only time to fill it.
func init() {
	autoexport.RegisterSpanExporter("jaeger", func(context.Context) (sdktrace.SpanExporter, error) {
		return jaeger.New(jaeger.WithCollectorEndpoint())
	})
}

// newExporter makes the exporter that the environment names.
func newExporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	name := os.Getenv(exporterKey)
	if (name == "" || name == "otlp") && otlpProtocolUnset() {
		// autoexport would take http/protobuf; in a cluster, collectors are reached over gRPC.
		exporter, err := otlptracegrpc.New(ctx)
		if err != nil {
			return nil, fmt.Errorf("making the otlp exporter: %w", err)
		}
		return exporter, nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("making the exporter that %s=%q names: %w", exporterKey, name, err)
	}
	return exporter, nil
}

func otlpProtocolUnset() bool {
	return os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") == "" && os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == ""
}
