package provider

import (
	"fmt"
	"math/rand/v2"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// LinksBased returns a sampler that samples a span without a parent if any of its links leads to a
// sampled context. So a trace that continues a sampled trace is sampled, too. Otherwise root
// decides, also for every span with a parent. Links that are added after the start of the span, and
// links to contexts that package tracing marked as untrusted, are ignored.
//
// ParentBased(LinksBased(root)) follows the parent, else the links, else root. Its name in
// OTEL_TRACES_SAMPLER is "parentbased_linksbased_…". LinksBased(ParentBased(root)) makes the same
// decisions.
//
// A nil root, also a nil pointer, is sdktrace.AlwaysSample. The sampler is safe for concurrent use
// if root is.
func LinksBased(root sdktrace.Sampler) sdktrace.Sampler {
	if isNil(root) {
		root = sdktrace.AlwaysSample()
	}
	return linksBased{root}
}

type linksBased struct{ root sdktrace.Sampler }

// ShouldSample implements sdktrace.Sampler.
func (s linksBased) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	parent := trace.SpanContextFromContext(p.ParentContext)
	if !parent.IsValid() && anySampled(p) {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: parent.TraceState()}
	}
	return s.root.ShouldSample(p)
}

func anySampled(p sdktrace.SamplingParameters) bool {
	for _, l := range p.Links {
		if l.SpanContext.IsValid() && l.SpanContext.IsSampled() && !tracing.IsUntrusted(p.ParentContext, l.SpanContext) {
			return true
		}
	}
	return false
}

// Description implements sdktrace.Sampler.
func (s linksBased) Description() string {
	return "LinksBased{" + s.root.Description() + "}"
}

// RandomRatio returns a sampler that samples a fraction of all traces, from 0 to 1, at random. In
// contrast, sdktrace.TraceIDRatioBased decides by the trace id, so a user with a chosen trace id
// can force or prevent sampling.
//
// Roots in the trace of an object's generation are the exception. The trace id decides, so that all
// processes agree. Package tracing derives these ids from the UID of the object, and users can't
// choose them.
//
// A span with a parent in this process is sampled if its parent is, so that traces have no gaps.
// For a span with a remote parent, RandomRatio decides again, except inside sdktrace.ParentBased,
// which follows the parent.
//
// If the fraction is NaN or at most 0, nothing is sampled. If it is at least 1, everything is. The
// sampler is safe for concurrent use.
func RandomRatio(fraction float64) sdktrace.Sampler {
	if !(fraction > 0) { // or NaN
		fraction = 0
	}
	fraction = min(fraction, 1)
	return &randomRatio{fraction: fraction, byTrace: sdktrace.TraceIDRatioBased(fraction), random: rand.Float64}
}

type randomRatio struct {
	fraction float64
	byTrace  sdktrace.Sampler // for roots in the trace of a generation
	random   func() float64   // in [0, 1)
}

// ShouldSample implements sdktrace.Sampler.
func (s *randomRatio) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	parent := trace.SpanContextFromContext(p.ParentContext)
	if parent.HasTraceID() && !parent.HasSpanID() {
		return s.byTrace.ShouldSample(p)
	}
	sampled := false
	if parent.IsValid() && !parent.IsRemote() {
		sampled = parent.IsSampled()
	} else {
		sampled = s.random() < s.fraction
	}
	result := sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: parent.TraceState()}
	if sampled {
		result.Decision = sdktrace.RecordAndSample
	}
	return result
}

// Description implements sdktrace.Sampler.
func (s *randomRatio) Description() string {
	return fmt.Sprintf("RandomRatio{%g}", s.fraction)
}
