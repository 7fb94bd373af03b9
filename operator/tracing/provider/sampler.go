package provider

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	samplerKey    = "OTEL_TRACES_SAMPLER"
	samplerArgKey = "OTEL_TRACES_SAMPLER_ARG"
)

// defaultSampler is what samples where neither the environment nor the operator says anything, as in the SDK.
func defaultSampler() sdktrace.Sampler { return sdktrace.ParentBased(sdktrace.AlwaysSample()) }

// samplerFromEnv reads the sampler, nil where the environment names none. The SDK's own reader is not exported, logs mistakes
// instead of returning them, and knows only the SDK's samplers.
func samplerFromEnv() (sdktrace.Sampler, error) {
	name := strings.ToLower(strings.TrimSpace(os.Getenv(samplerKey)))
	if name == "" {
		return nil, nil //nolint:nilnil // none is an answer
	}
	rest, parentBased := strings.CutPrefix(name, "parentbased_")
	root, linksBased := strings.CutPrefix(rest, "linksbased_")
	var s sdktrace.Sampler
	switch root {
	case "always_on":
		s = sdktrace.AlwaysSample()
	case "always_off":
		s = sdktrace.NeverSample()
	case "traceidratio", "randomratio":
		ratio, err := ratioFromEnv()
		if err != nil {
			return nil, err
		}
		if s = RandomRatio(ratio); root == "traceidratio" {
			s = sdktrace.TraceIDRatioBased(ratio)
		}
	default:
		return nil, fmt.Errorf("reading %s=%q: unknown sampler", samplerKey, name)
	}
	if linksBased {
		s = LinksBased(s)
	}
	if parentBased {
		s = sdktrace.ParentBased(s)
	}
	return s, nil
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
