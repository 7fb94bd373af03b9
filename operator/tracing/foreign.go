package tracing

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

type foreignKey struct{}

// withForeign marks contexts that came from outside, for samplers: neither a link nor a parent carries
// a mark of its own, and the start context is all that a sampler sees beside them.
func withForeign(ctx context.Context, foreign []trace.SpanContext) context.Context {
	if len(foreign) == 0 {
		return ctx
	}
	return context.WithValue(ctx, foreignKey{}, foreign)
}

// HasForeign reports whether any context was marked as foreign when a span was started from ctx. It is
// for samplers, whose SamplingParameters have that ctx.
func HasForeign(ctx context.Context) bool {
	return ctx.Value(foreignKey{}) != nil
}

// IsForeign reports whether sc, the parent or a link of the span that starts, came from outside: from a
// user who is no trusted writer. A sampler should not follow its sampled flag.
func IsForeign(ctx context.Context, sc trace.SpanContext) bool {
	foreign, _ := ctx.Value(foreignKey{}).([]trace.SpanContext)
	for _, f := range foreign {
		if f.TraceID() == sc.TraceID() && f.SpanID() == sc.SpanID() {
			return true
		}
	}
	return false
}
