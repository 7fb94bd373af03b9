package provider

import (
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel/propagation"
)

const propagatorsKey = "OTEL_PROPAGATORS"

// newPropagator makes the propagator that the environment names. W3C Trace Context comes with an error, too.
func newPropagator() (propagation.TextMapPropagator, error) {
	value := strings.TrimSpace(os.Getenv(propagatorsKey))
	if value == "" {
		return propagation.TraceContext{}, nil
	}
	names := strings.Split(value, ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	p, err := autoprop.TextMapPropagator(names...)
	if err != nil {
		return propagation.TraceContext{}, fmt.Errorf("reading %s=%q: %w", propagatorsKey, value, err)
	}
	return p, nil
}
