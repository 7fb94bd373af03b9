package tracing

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

type untrustedKey struct{}

// withUntrusted marks untrusted contexts for samplers. The mark is in the start context, because
// links and parents have no field for it.
func withUntrusted(ctx context.Context, untrusted []trace.SpanContext) context.Context {
	if len(untrusted) == 0 {
		return ctx
	}
	return context.WithValue(ctx, untrustedKey{}, untrusted)
}

// HasUntrusted reports whether a span that starts from ctx has an untrusted parent or link.
// Samplers pass the ParentContext of their SamplingParameters. It is safe for concurrent use.
func HasUntrusted(ctx context.Context) bool {
	return ctx != nil && ctx.Value(untrustedKey{}) != nil
}

// IsUntrusted reports whether sc, the parent or a link of a span that starts from ctx, came from a
// user that is not a trusted writer. Samplers should ignore its sampled flag. It is safe for
// concurrent use.
func IsUntrusted(ctx context.Context, sc trace.SpanContext) bool {
	if ctx == nil {
		return false
	}
	untrusted, _ := ctx.Value(untrustedKey{}).([]trace.SpanContext)
	for _, f := range untrusted {
		if f.TraceID() == sc.TraceID() && f.SpanID() == sc.SpanID() {
			return true
		}
	}
	return false
}
