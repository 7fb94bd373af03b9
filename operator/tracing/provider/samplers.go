package provider

import (
	"fmt"
	"math/rand/v2"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

// LinksBased makes a sampler that samples a span without a parent if any of its links leads to a sampled
// context, and otherwise asks root: a new trace is kept where the one that it goes on from was kept. Links
// that are added after the span's start, and those to contexts that package tracing marked as untrusted, do
// not count. A span with a parent is root's to decide.
//
// Inside sdktrace.ParentBased it is asked about roots alone, so ParentBased(LinksBased(root)) follows the
// parent, else the links, else root: "parentbased_linksbased_…" in OTEL_TRACES_SAMPLER. The other way
// around, LinksBased(ParentBased(root)) decides the same.
//
// A nil root is sdktrace.AlwaysSample. The sampler is as safe for concurrent use as root.
func LinksBased(root sdktrace.Sampler) sdktrace.Sampler {
	if root == nil {
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

// RandomRatio makes a sampler for a fraction of all traces, from 0 to 1, that throws its own dice, where
// sdktrace.TraceIDRatioBased looks at the trace id: whoever may choose a trace id, as a user does whose
// context becomes the parent, cannot choose to be sampled by it.
//
// Roots in the trace of an object's generation are decided by that trace's id, so that all of them agree,
// whichever process starts them; only package tracing makes them, from the object's UID. A span whose
// parent is of this process is sampled as that is, so that no trace has holes. A span with a remote parent
// is decided anew; inside sdktrace.ParentBased it follows the parent, and RandomRatio is not asked.
//
// A fraction of 0, less or NaN samples nothing, one of 1 or more everything. The sampler is safe for
// concurrent use.
func RandomRatio(fraction float64) sdktrace.Sampler {
	if !(fraction > 0) { // NaN, too
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
