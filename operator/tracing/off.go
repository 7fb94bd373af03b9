package tracing

import (
	"reflect"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// off reports whether tracing is off at the moment. It does not allocate.
func (c *config) off() bool {
	return isOff(c.tracerProvider())
}

func (c *config) tracer() trace.Tracer {
	if c.fixed != nil {
		return c.fixed
	}
	return newTracer(c.tracerProvider())
}

func (c *config) tracerProvider() trace.TracerProvider {
	if c.provider != nil {
		return c.provider
	}
	return otel.GetTracerProvider()
}

func newTracer(tp trace.TracerProvider) trace.Tracer {
	return tp.Tracer(ScopeName, trace.WithInstrumentationVersion(Version))
}

// switchedOff is config.off for functions that accept options at each call. It does not create a
// config, because it must not allocate when tracing is off.
func switchedOff(opts []Option) bool {
	var tp trace.TracerProvider
	for _, o := range opts {
		if p, ok := o.(providerOption); ok && !isNil(p.tp) && !isGlobal(p.tp) {
			tp = p.tp
		}
	}
	if tp == nil {
		tp = otel.GetTracerProvider()
	}
	return isOff(tp)
}

func isOff(tp trace.TracerProvider) bool {
	switch tp.(type) {
	case nil, noop.TracerProvider, *noop.TracerProvider:
		return true
	}
	return isGlobal(tp)
}

// isGlobal reports whether tp is the placeholder that the OpenTelemetry API returns while no global
// provider is set. The API has no function for this, and a span of the placeholder cannot be
// distinguished from a non-recording span of another provider. A test guards the package path.
func isGlobal(tp trace.TracerProvider) bool {
	t := reflect.TypeOf(tp)
	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "go.opentelemetry.io/otel/internal/global"
}

// isNil reports whether v is nil or a nil pointer in an interface. It does not allocate.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}
