package provider

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

const (
	samplerKey    = "OTEL_TRACES_SAMPLER"
	samplerArgKey = "OTEL_TRACES_SAMPLER_ARG"
)

// samplerFromEnv reads the sampler as the SDK would. The SDK's own reader is not exported, logs mistakes
// instead of returning them, and gives nothing to wrap.
func samplerFromEnv() (sdktrace.Sampler, error) {
	name := strings.ToLower(strings.TrimSpace(os.Getenv(samplerKey)))
	root, based := strings.CutPrefix(name, "parentbased_")
	if name == "" {
		root, based = "always_on", true
	}
	var s sdktrace.Sampler
	switch root {
	case "always_on":
		s = sdktrace.AlwaysSample()
	case "always_off":
		s = sdktrace.NeverSample()
	case "traceidratio":
		ratio, err := ratioFromEnv()
		if err != nil {
			return nil, err
		}
		s = sdktrace.TraceIDRatioBased(ratio)
	default:
		return nil, fmt.Errorf("reading %s=%q: unknown sampler", samplerKey, name)
	}
	if based {
		s = sdktrace.ParentBased(s)
	}
	return IgnoreForeign(s), nil
}

func ratioFromEnv() (float64, error) {
	arg := strings.TrimSpace(os.Getenv(samplerArgKey))
	if arg == "" {
		return 1, nil
	}
	ratio, err := strconv.ParseFloat(arg, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		return 0, fmt.Errorf("reading %s=%q: must be a number from 0 to 1", samplerArgKey, arg)
	}
	return ratio, nil
}

// IgnoreForeign makes a sampler that asks s as if the contexts that package tracing marked as foreign
// were not there: a user who writes a sampled flag into an annotation does not decide what is exported.
// It is as safe for concurrent use as s. A nil s is a programming error.
func IgnoreForeign(s sdktrace.Sampler) sdktrace.Sampler {
	return ignoreForeign{s}
}

type ignoreForeign struct{ sdktrace.Sampler }

// ShouldSample implements sdktrace.Sampler.
func (s ignoreForeign) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if !tracing.HasForeign(p.ParentContext) {
		return s.Sampler.ShouldSample(p)
	}
	if tracing.IsForeign(p.ParentContext, trace.SpanContextFromContext(p.ParentContext)) {
		p.ParentContext = trace.ContextWithSpanContext(p.ParentContext, trace.SpanContext{})
	}
	var links []trace.Link
	for _, l := range p.Links {
		if !tracing.IsForeign(p.ParentContext, l.SpanContext) {
			links = append(links, l)
		}
	}
	p.Links = links
	return s.Sampler.ShouldSample(p)
}

// Description implements sdktrace.Sampler.
func (s ignoreForeign) Description() string {
	return "IgnoreForeign{" + s.Sampler.Description() + "}"
}
