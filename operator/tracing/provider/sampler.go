package provider

import (
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	samplerKey    = "OTEL_TRACES_SAMPLER"
	samplerArgKey = "OTEL_TRACES_SAMPLER_ARG"
)

// defaultSampler returns the default of the SDK.
func defaultSampler() sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.AlwaysSample()) }

// sampler returns the sampler that the environment names, else fallback, and the default if that is
// nil. The reader of the SDK is not exported, knows fewer samplers, and reports the others as
// unsupported. So the variable is hidden from the SDK.
func (v *variables) sampler(fallback sdktrace.Sampler) sdktrace.Sampler {
	using := "the sampler of WithSampler"
	if fallback == nil {
		fallback, using = defaultSampler(), "parentbased_always_on"
	}
	name := strings.ToLower(v.get(samplerKey))
	v.corrected[samplerKey] = ""
	rest, parentBased := strings.CutPrefix(name, "parentbased_")
	root, linksBased := strings.CutPrefix(rest, "linksbased_")
	ratio := v.ratio(root)
	var s sdktrace.Sampler
	switch root {
	case "always_on":
		s = sdktrace.AlwaysSample()
	case "always_off":
		s = sdktrace.NeverSample()
	case "traceidratio":
		s = sdktrace.TraceIDRatioBased(ratio)
	case "randomratio":
		s = RandomRatio(ratio)
	default:
		if name != "" {
			v.report(samplerKey, "unknown sampler", using)
		}
		return fallback
	}
	if linksBased {
		s = LinksBased(s)
	}
	if parentBased {
		s = sdktrace.ParentBased(s)
	}
	return s
}

// ratio returns the ratio for the sampler root. The default is 1, as in the SDK.
func (v *variables) ratio(root string) float64 {
	using := "1"
	if !strings.HasSuffix(root, "ratio") {
		using = "no ratio, the sampler takes none"
	}
	v.check(samplerArgKey, func(arg string) reading {
		if ratio, err := strconv.ParseFloat(arg, 64); err != nil || !(ratio >= 0 && ratio <= 1) {
			return reading{reason: "want a number from 0 to 1"}
		}
		return reading{value: arg}
	}, using)
	if ratio, err := strconv.ParseFloat(v.get(samplerArgKey), 64); err == nil {
		return ratio
	}
	return 1
}
