package provider

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Provider holds what [New] made. It is safe for concurrent use.
type Provider struct {
	sdk     *sdktrace.TracerProvider // nil where tracing is disabled
	timeout time.Duration            // of Shutdown
}

// New reads the environment and makes a TracerProvider. It does not wait for a collector. It honours
//
//   - OTEL_SDK_DISABLED=true: nothing is made and [Provider.TracerProvider] is a no-op one;
//   - OTEL_TRACES_EXPORTER: otlp (default), jaeger (Thrift over HTTP, deprecated upstream), console, none;
//   - OTEL_EXPORTER_OTLP_*: the protocol is grpc where OTEL_EXPORTER_OTLP_PROTOCOL is unset;
//   - OTEL_EXPORTER_JAEGER_ENDPOINT, _USER, _PASSWORD;
//   - OTEL_TRACES_SAMPLER and _ARG, by default parentbased_always_on; the sampled flag of foreign
//     contexts is ignored whatever the sampler;
//   - OTEL_BSP_*, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES as the SDK does.
//
// An unknown exporter, protocol or sampler is an error.
func New(ctx context.Context, opts ...Option) (*Provider, error) {
	c := newConfig(opts)
	p := &Provider{timeout: c.shutdownTimeout}
	if strings.EqualFold(strings.TrimSpace(os.Getenv("OTEL_SDK_DISABLED")), "true") {
		return p, nil
	}
	if c.logger != nil {
		otel.SetErrorHandler(newErrorHandler(*c.logger))
	}
	sampler, err := samplerFromEnv()
	if err != nil {
		return nil, err
	}
	res, err := newResource(ctx, c.serviceName)
	if err != nil {
		return nil, fmt.Errorf("describing the service: %w", err)
	}
	exporter, err := newExporter(ctx)
	if err != nil {
		return nil, err
	}
	sdkOpts := []sdktrace.TracerProviderOption{sdktrace.WithResource(res), sdktrace.WithSampler(sampler)}
	if !autoexport.IsNoneSpanExporter(exporter) {
		sdkOpts = append(sdkOpts, sdktrace.WithBatcher(exporter))
	}
	for _, sp := range c.processors {
		sdkOpts = append(sdkOpts, sdktrace.WithSpanProcessor(sp))
	}
	p.sdk = sdktrace.NewTracerProvider(sdkOpts...)
	return p, nil
}

// TracerProvider gives the provider to hand to package tracing: a no-op one where the SDK is disabled,
// also after Shutdown and for a nil Provider.
func (p *Provider) TracerProvider() trace.TracerProvider {
	if p == nil || p.sdk == nil {
		return noop.NewTracerProvider()
	}
	return p.sdk
}

// Shutdown exports what is left and stops. It gives up when ctx ends or its own timeout passes, and
// says what went wrong. Hand it a context that is still alive, not the one whose end stops the process.
func (p *Provider) Shutdown(ctx context.Context) error {
	if p == nil || p.sdk == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	if err := p.sdk.Shutdown(ctx); err != nil {
		return fmt.Errorf("shutting down the trace exporter: %w", err)
	}
	return nil
}

// newResource lets the environment win over the name that the operator gives.
func newResource(ctx context.Context, serviceName string) (*resource.Resource, error) {
	var defaults []attribute.KeyValue
	if serviceName != "" {
		defaults = append(defaults, attribute.String("service.name", serviceName))
	}
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithService(),
		resource.WithAttributes(defaults...),
		resource.WithFromEnv(),
	)
}
