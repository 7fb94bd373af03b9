package tracing

import (
	"reflect"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// off reports whether spans go nowhere at the moment. It does not allocate.
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

// switchedOff is config.off for functions that take options at each call: it finds out without
// building a config, since off must not allocate.
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

// isGlobal reports whether tp is the placeholder that the OpenTelemetry API hands out as long as no
// global provider is set. The API has no other way to ask: a span of the placeholder looks like one of
// any provider to whom the caller's context was passed. A test guards the path.
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
