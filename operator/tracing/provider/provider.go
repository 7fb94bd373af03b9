package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// Provider is a configured OpenTelemetry SDK. [New] creates it. A nil or zero Provider does not
// trace. All methods are safe for concurrent use.
type Provider struct {
	sdk        *sdktrace.TracerProvider      // nil if tracing is disabled
	propagator propagation.TextMapPropagator // nil in a zero Provider only
	timeout    time.Duration                 // of Shutdown
}

// New reads the environment and creates a Provider. It does not wait for a collector. It supports
// these variables:
//
//   - OTEL_SDK_DISABLED: if true, [Provider.TracerProvider] returns a no-op provider;
//   - OTEL_TRACES_EXPORTER: otlp (default), jaeger (Thrift over HTTP, deprecated upstream), console
//     or none, or a list with commas;
//   - OTEL_EXPORTER_OTLP_*: OTEL_EXPORTER_OTLP_PROTOCOL is grpc (default) or http/protobuf;
//   - OTEL_EXPORTER_JAEGER_ENDPOINT, _USER, _PASSWORD;
//   - OTEL_TRACES_SAMPLER: always_on, always_off, traceidratio or randomratio ([RandomRatio]),
//     optionally with the prefix "linksbased_" ([LinksBased]), "parentbased_" or
//     "parentbased_linksbased_". The default is parentbased_always_on ([WithSampler]).
//     OTEL_TRACES_SAMPLER_ARG is the ratio, by default 1. The sampled flag of untrusted contexts is
//     always ignored ([IgnoreUntrusted]);
//   - OTEL_PROPAGATORS: tracecontext by default ([Provider.Propagator]);
//   - OTEL_BSP_*, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and the limits of spans, as in the
//     SDK.
//
// A malformed variable counts as unset, except for its well-formed entries if it is a list. New
// logs one line for each ([WithLogger]), and returns a Provider and a nil error. An exporter that
// can't be created is left out. If none remains, spans still have ids and contexts still propagate,
// but nothing is exported. Variables of exporters that are not used are not checked. If
// OTEL_SDK_DISABLED is true, nothing is checked. Only with [WithStrict] does New return an error,
// and then a nil Provider.
//
// A ctx that is nil or cancelled is valid: New only uses its values. While New runs, other
// goroutines can see corrected OTEL_* variables in the environment of the process. Concurrent calls
// are safe.
func New(ctx context.Context, opts ...Option) (*Provider, error) {
	c := newConfig(opts)
	ctx = context.WithoutCancel(orBackground(ctx))
	p := &Provider{timeout: c.shutdownTimeout}
	problems := p.setUp(ctx, c)
	if c.strict && len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	logProblems(ctx, c, problems)
	return p, nil
}

// setUp creates the propagator and the SDK, and returns the problems of the environment. It creates
// no SDK if tracing is disabled, or if there are problems and New must be strict.
func (p *Provider) setUp(ctx context.Context, c *config) (problems []error) {
	environmentMu.Lock()
	defer environmentMu.Unlock()
	v := readVariables()
	if v.get(disabledKey) == "true" {
		p.propagator = v.propagator()
		return nil
	}
	if c.logger != nil {
		otel.SetErrorHandler(newErrorHandler(*c.logger))
	}
	p.propagator = v.propagator()
	sampler, names := v.sampler(c.sampler), v.exporterNames()
	v.use(func() {
		exporters := v.exporters(ctx, names)
		v.count(exporters, c.registerer)
		res := v.resource(ctx, c.serviceName)
		if c.strict && len(v.problems) > 0 {
			for _, exporter := range exporters {
				_ = exporter.Shutdown(ctx) // It has exported nothing.
			}
			return
		}
		p.sdk = newSDK(res, sampler, exporters, c.processors)
	})
	return v.problems
}

// newSDK creates the SDK. It reads the environment.
func newSDK(
	res *resource.Resource, s sdktrace.Sampler, exporters []sdktrace.SpanExporter, processors []sdktrace.SpanProcessor,
) *sdktrace.TracerProvider {
	opts := []sdktrace.TracerProviderOption{sdktrace.WithResource(res), sdktrace.WithSampler(IgnoreUntrusted(s))}
	for _, exporter := range exporters {
		opts = append(opts, sdktrace.WithBatcher(exporter))
	}
	for _, processor := range processors {
		opts = append(opts, sdktrace.WithSpanProcessor(processor))
	}
	return sdktrace.NewTracerProvider(opts...)
}

// TracerProvider returns the provider for package tracing. It returns a no-op provider if the SDK
// is disabled, and for a nil Provider. After Shutdown, the provider records nothing.
func (p *Provider) TracerProvider() trace.TracerProvider {
	if p == nil || p.sdk == nil {
		return noop.NewTracerProvider()
	}
	return p.sdk
}

// Propagator returns the propagators that OTEL_PROPAGATORS lists: tracecontext, baggage, b3,
// b3multi, jaeger, xray, ottrace, none. The default, also for a nil Provider and if the variable
// names no known propagator, is W3C Trace Context without baggage, which package tracing does not
// read. With none, or with baggage only, spans are recorded but no context propagates.
func (p *Provider) Propagator() propagation.TextMapPropagator {
	if p == nil || p.propagator == nil {
		return propagation.TraceContext{}
	}
	return p.propagator
}

// Options returns the options that pass the TracerProvider and the Propagator to package tracing,
// in a new slice. The options of a nil Provider disable tracing.
func (p *Provider) Options() []tracing.Option {
	return []tracing.Option{tracing.WithTracerProvider(p.TracerProvider()), tracing.WithPropagators(p.Propagator())}
}

// Run calls run with ctx and then [Provider.Shutdown]. Shutdown ignores the cancellation of ctx, so
// the spans of the last reconciles are exported after the signal that stopped the process. Use it
// for the Start method of a manager. Run returns the error of run. The error of Shutdown goes to
// OpenTelemetry's error handler ([WithLogger]), because lost spans must not fail an operator. A nil
// Provider only calls run. A nil ctx is context.Background.
func (p *Provider) Run(ctx context.Context, run func(context.Context) error) error {
	ctx = orBackground(ctx)
	err := run(ctx)
	if lost := p.Shutdown(context.WithoutCancel(ctx)); lost != nil {
		otel.Handle(lost)
	}
	return err
}

// Shutdown exports the remaining spans and stops the SDK. It returns an error if spans were lost,
// ctx is cancelled, or the timeout expires ([WithShutdownTimeout]). Pass a context that is not
// cancelled when the process stops. A nil ctx is context.Background. A nil Provider returns nil.
func (p *Provider) Shutdown(ctx context.Context) error {
	if p == nil || p.sdk == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(orBackground(ctx), p.timeout)
	defer cancel()
	if err := p.sdk.Shutdown(ctx); err != nil {
		return fmt.Errorf("shutting down the trace exporter: %w", err)
	}
	return nil
}

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// resource describes the service. The environment has precedence over serviceName.
func (v *variables) resource(ctx context.Context, serviceName string) *resource.Resource {
	var defaults []attribute.KeyValue
	if serviceName != "" {
		defaults = append(defaults, attribute.String("service.name", serviceName))
	}
	res, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithService(),
		resource.WithAttributes(defaults...),
		resource.WithFromEnv(),
	)
	if err != nil {
		v.problems = append(v.problems, fmt.Errorf("describing the service: %w", err))
	}
	return res
}
