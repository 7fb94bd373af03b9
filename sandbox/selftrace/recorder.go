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

// Service is the service name of the spans.
const Service = "sandbox"

// Scope is the instrumentation scope of the spans.
const Scope = "github.com/operator-tracing/sandbox/sandbox"

// Recorder creates spans and keeps the ended ones. It has no limit, because a command has only some
// dozen spans. It is safe for concurrent use.
type Recorder struct {
	provider *sdktrace.TracerProvider
	ended    *tracetest.InMemoryExporter
}

// NewRecorder returns an empty Recorder that samples all spans. It starts no goroutine and needs no
// shutdown.
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

// Start starts the root span of a command. [Tracer] creates its descendants from the returned
// context.
func (r *Recorder) Start(ctx context.Context, command string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	return r.provider.Tracer(Scope).Start(ctx, command, append(options, trace.WithNewRoot())...)
}

// Tracer returns a tracer for children of the span in ctx, or a no-op tracer if ctx has no span.
func Tracer(ctx context.Context) trace.Tracer {
	return trace.SpanFromContext(ctx).TracerProvider().Tracer(Scope)
}

// Send sends the ended spans to an OTLP gRPC receiver without TLS at endpoint (host:port). It
// returns when the receiver has accepted them or ctx is done. The Recorder keeps the spans. Send
// does nothing if there are no spans.
func (r *Recorder) Send(ctx context.Context, endpoint string) error {
	spans := r.ended.GetSpans().Snapshots()
	if len(spans) == 0 {
		return nil
	}
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(endpoint), otlptracegrpc.WithInsecure(),
		otlptracegrpc.WithHeaders(map[string]string{})) // Overrides the headers in the environment, which can contain credentials of the user.
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
