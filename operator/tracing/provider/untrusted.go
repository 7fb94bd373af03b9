package provider

import (
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// IgnoreUntrusted returns a sampler that hides untrusted contexts from s. Package tracing marks a
// context as untrusted if a user wrote it into an annotation, so a sampled flag in an annotation
// does not decide what is exported. [New] wraps its sampler with IgnoreUntrusted. A nil s, also a
// nil pointer, is the SDK's default: parent-based and always on. The sampler is safe for concurrent
// use if s is.
func IgnoreUntrusted(s sdktrace.Sampler) sdktrace.Sampler {
	if isNil(s) {
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
