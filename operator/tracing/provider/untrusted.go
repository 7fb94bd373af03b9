package provider

import (
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// IgnoreUntrusted makes a sampler that asks s as if the contexts that package tracing marked as untrusted
// were not there: a user who writes a sampled flag into an annotation does not decide what is exported.
// [New] wraps whatever sampler it uses. A nil s is the SDK's default, parent-based and always on. The
// sampler is as safe for concurrent use as s.
func IgnoreUntrusted(s sdktrace.Sampler) sdktrace.Sampler {
	if s == nil {
		s = defaultSampler()
	}
	return ignoreUntrusted{s}
}

type ignoreUntrusted struct{ sdktrace.Sampler }

// ShouldSample implements sdktrace.Sampler.
func (s ignoreUntrusted) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if !tracing.HasUntrusted(p.ParentContext) {
		return s.Sampler.ShouldSample(p)
	}
	if tracing.IsUntrusted(p.ParentContext, trace.SpanContextFromContext(p.ParentContext)) {
		p.ParentContext = trace.ContextWithSpanContext(p.ParentContext, trace.SpanContext{})
	}
	var links []trace.Link
	for _, l := range p.Links {
		if !tracing.IsUntrusted(p.ParentContext, l.SpanContext) {
			links = append(links, l)
		}
	}
	p.Links = links
	return s.Sampler.ShouldSample(p)
}

// Description implements sdktrace.Sampler.
func (s ignoreUntrusted) Description() string {
	return "IgnoreUntrusted{" + s.Sampler.Description() + "}"
}
