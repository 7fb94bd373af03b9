package provider

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// Provider holds what [New] made. It is safe for concurrent use.
type Provider struct {
	sdk        *sdktrace.TracerProvider      // nil where tracing is disabled
	propagator propagation.TextMapPropagator // nil in a zero Provider alone
	timeout    time.Duration                 // of Shutdown
}

// New reads the environment and makes a TracerProvider. It does not wait for a collector. It honours
//
//   - OTEL_SDK_DISABLED=true: nothing is made and [Provider.TracerProvider] is a no-op one;
//   - OTEL_TRACES_EXPORTER: otlp (default), jaeger (Thrift over HTTP, deprecated upstream), console, none;
//   - OTEL_EXPORTER_OTLP_*: the protocol is grpc where OTEL_EXPORTER_OTLP_PROTOCOL is unset;
//   - OTEL_EXPORTER_JAEGER_ENDPOINT, _USER, _PASSWORD;
//   - OTEL_TRACES_SAMPLER: always_on, always_off, traceidratio or randomratio ([RandomRatio]), before
//     which "linksbased_" ([LinksBased]) and before that "parentbased_" may stand; by default
//     parentbased_always_on ([WithSampler]). OTEL_TRACES_SAMPLER_ARG is the ratio, by default 1. The
//     sampled flag of untrusted contexts is ignored whatever the sampler ([IgnoreUntrusted]);
//   - OTEL_PROPAGATORS: by default tracecontext ([Provider.Propagator]);
//   - OTEL_BSP_*, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES as the SDK does.
//
// An unknown exporter, protocol, sampler or propagator is an error, as is a counter that can't be registered
// ([WithRegisterer]), and the Provider nil then, which is one that is off.
func New(ctx context.Context, opts ...Option) (*Provider, error) {
	c := newConfig(opts)
	propagator, err := newPropagator()
	p := &Provider{propagator: propagator, timeout: c.shutdownTimeout}
	if strings.EqualFold(strings.TrimSpace(os.Getenv("OTEL_SDK_DISABLED")), "true") {
		return p, nil // whatever else is wrong: this is how it is switched off in a hurry
	}
	if err != nil {
		return nil, err
	}
	if c.logger != nil {
		otel.SetErrorHandler(newErrorHandler(*c.logger))
	}
	sampler, err := samplerFromEnv()
	if err != nil {
		return nil, err
	}
	if sampler == nil {
		sampler = c.sampler
	}
	res, err := newResource(ctx, c.serviceName)
	if err != nil {
		return nil, fmt.Errorf("describing the service: %w", err)
	}
	exporter, err := newExporter(ctx)
	if err != nil {
		return nil, err
	}
	sdkOpts := []sdktrace.TracerProviderOption{sdktrace.WithResource(res), sdktrace.WithSampler(IgnoreUntrusted(sampler))}
	if !autoexport.IsNoneSpanExporter(exporter) {
		if c.registerer != nil {
			counting, err := newCountingExporter(exporter, c.registerer)
			if err != nil {
				return nil, errors.Join(err, exporter.Shutdown(ctx))
			}
			exporter = counting
		}
		sdkOpts = append(sdkOpts, sdktrace.WithBatcher(exporter))
	}
	for _, sp := range c.processors {
		sdkOpts = append(sdkOpts, sdktrace.WithSpanProcessor(sp))
	}
	p.sdk = newSDK(sdkOpts)
	return p, nil
}

// newSDK hides the sampler's name from the SDK, which would report one that it does not know as unsupported, although it is
// not asked for it. Nothing but an SDK reads the variable.
func newSDK(opts []sdktrace.TracerProviderOption) *sdktrace.TracerProvider {
	if name, ok := os.LookupEnv(samplerKey); ok && os.Unsetenv(samplerKey) == nil {
		defer os.Setenv(samplerKey, name) //nolint:errcheck // it was there a moment ago
	}
	return sdktrace.NewTracerProvider(opts...)
}

// TracerProvider gives the provider to hand to package tracing: a no-op one where the SDK is disabled,
// also after Shutdown and for a nil Provider.
func (p *Provider) TracerProvider() trace.TracerProvider {
	if p == nil || p.sdk == nil {
		return noop.NewTracerProvider()
	}
	return p.sdk
}

// Propagator gives the one that OTEL_PROPAGATORS names: a list, with commas, of tracecontext, baggage, b3,
// b3multi, jaeger, xray, ottrace, none. Where that is unset, and for a nil Provider, it is W3C Trace Context
// (without baggage, which nothing here reads). With none, or with baggage alone, spans are made and no
// context travels.
func (p *Provider) Propagator() propagation.TextMapPropagator {
	if p == nil || p.propagator == nil {
		return propagation.TraceContext{}
	}
	return p.propagator
}

// Options gives the options that hand the TracerProvider and the Propagator to package tracing, in a slice
// of its own each time. A nil Provider's switch tracing off.
func (p *Provider) Options() []tracing.Option {
	return []tracing.Option{tracing.WithTracerProvider(p.TracerProvider()), tracing.WithPropagators(p.Propagator())}
}

// Run calls run with ctx and, when that returned, [Provider.Shutdown] with a context that outlives ctx: the
// spans of the last reconciles are sent although the signal that ended them has ended ctx. It suits a
// manager's Start. The error is run's: lost spans make no operator fail, and what Shutdown says goes to
// OpenTelemetry's error handler ([WithLogger]). A nil Provider only calls run.
func (p *Provider) Run(ctx context.Context, run func(context.Context) error) error {
	err := run(ctx)
	if lost := p.Shutdown(context.WithoutCancel(ctx)); lost != nil {
		otel.Handle(lost)
	}
	return err
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
