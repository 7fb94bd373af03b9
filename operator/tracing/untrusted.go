package tracing

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

type untrustedKey struct{}

// withUntrusted marks contexts that came from outside, for samplers: neither a link nor a parent carries
// a mark of its own, and the start context is all that a sampler sees beside them.
func withUntrusted(ctx context.Context, untrusted []trace.SpanContext) context.Context {
	if len(untrusted) == 0 {
		return ctx
	}
	return context.WithValue(ctx, untrustedKey{}, untrusted)
}

// HasUntrusted reports whether any context was marked as untrusted when a span was started from ctx. It is
// for samplers, whose SamplingParameters have that ctx.
func HasUntrusted(ctx context.Context) bool {
	return ctx.Value(untrustedKey{}) != nil
}

// IsUntrusted reports whether sc, the parent or a link of the span that starts, came from outside: from a
// user who is no trusted writer. A sampler should not follow its sampled flag.
func IsUntrusted(ctx context.Context, sc trace.SpanContext) bool {
	untrusted, _ := ctx.Value(untrustedKey{}).([]trace.SpanContext)
	for _, f := range untrusted {
		if f.TraceID() == sc.TraceID() && f.SpanID() == sc.SpanID() {
			return true
		}
	}
	return false
}
