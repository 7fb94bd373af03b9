package selftrace

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Service is the name of the service whose spans these are.
const Service = "sandbox"

// Scope is the instrumentation scope of the spans.
const Scope = "github.com/operator-tracing/sandbox/sandbox"

// Recorder makes spans and keeps those that ended, without a limit: a command makes some dozens. It is safe for concurrent use.
type Recorder struct {
	provider *sdktrace.TracerProvider
	ended    *tracetest.InMemoryExporter
}

// NewRecorder makes a recorder without spans, which samples everything. It starts no goroutine, and needs no end.
func NewRecorder() *Recorder {
	ended := tracetest.NewInMemoryExporter()
	return &Recorder{
		ended: ended,
		provider: sdktrace.NewTracerProvider(
			sdktrace.WithSyncer(ended),
			sdktrace.WithSampler(sdktrace.AlwaysSample()),
			sdktrace.WithResource(resource.NewWithAttributes(semconv.SchemaURL, semconv.ServiceName(Service))),
		),
	}
}

// Start starts the root span of a command. Spans of [Tracer] of the context, or of one made from it, are below it.
func (r *Recorder) Start(ctx context.Context, command string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	return r.provider.Tracer(Scope).Start(ctx, command, append(options, trace.WithNewRoot())...)
}

// Tracer gives the tracer that records below the span of ctx; without one, a tracer that does nothing.
func Tracer(ctx context.Context) trace.Tracer {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer(Scope)
}

// Send sends the spans that have ended by now to an OTLP receiver over gRPC without TLS, host:port, and returns when it has taken
// them. They stay recorded. Without spans it does nothing. ctx bounds it.
func (r *Recorder) Send(ctx context.Context, endpoint string) error {
	spans := r.ended.GetSpans().Snapshots()
	if len(spans) == 0 {
		return nil
	}
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(endpoint), otlptracegrpc.WithInsecure(),
		otlptracegrpc.WithHeaders(map[string]string{})) // Not those of the environment: they may be a user's credentials.
	if err != nil {
		return fmt.Errorf("sending the sandbox's own trace to %s: %w", endpoint, err)
	}
	err = exporter.ExportSpans(ctx, spans)
	if stopped := exporter.Shutdown(ctx); err == nil {
		err = stopped
	}
	if err != nil {
		return fmt.Errorf("sending the sandbox's own trace to %s: %w", endpoint, err)
	}
	return nil
}
