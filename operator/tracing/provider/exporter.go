package provider

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/exporters/jaeger" //nolint:staticcheck // deprecated upstream; users still run collectors that need it
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
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
	if (name == "" || name == "otlp") && otlpOverGRPC() {
		exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithDialOption(patientDial...))
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

// patientDial lets an export wait for a connection, as long as OTEL_EXPORTER_OTLP_TIMEOUT says, where gRPC would fail it at
// once and the exporter try again after five seconds. The first spans of a program are exported when it has just started,
// and so, often, has everything around it: the cluster's DNS, the Service's endpoints, the collector. Among those spans are
// the roots of traces.
var patientDial = []grpc.DialOption{
	grpc.WithDefaultCallOptions(grpc.WaitForReady(true)),
	grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
		MinConnectTimeout: 5 * time.Second,
	}),
}

// otlpOverGRPC is whether OTLP goes over gRPC: where the environment says so, and where it says nothing. autoexport would
// take http/protobuf then; in a cluster, collectors are reached over gRPC.
func otlpOverGRPC() bool {
	protocol := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
	if protocol == "" {
		protocol = os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	return protocol == "" || protocol == "grpc"
}
