package provider

import (
	"fmt"
	"strings"

	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel/propagation"
)

const propagatorsKey = "OTEL_PROPAGATORS"

// propagator returns the propagators that the environment names, without unknown ones. The default
// is W3C Trace Context.
func (v *variables) propagator() propagation.TextMapPropagator {
	value := v.get(propagatorsKey)
	if value == "" {
		return propagation.TraceContext{}
	}
	var known, unknown []string
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if lower := strings.ToLower(name); isPropagator(lower) {
			name = lower
		}
		if isPropagator(name) {
			known = append(known, name)
		} else {
			unknown = append(unknown, name)
		}
	}
	using := known
	if len(known) == 0 {
		using = []string{"tracecontext"}
	}
	if len(unknown) > 0 {
		v.report(propagatorsKey, fmt.Sprintf("unknown propagators %q", unknown), strings.Join(using, ","))
	}
	p, err := autoprop.TextMapPropagator(using...)
	if err != nil {
		return propagation.TraceContext{}
	}
	return p
}

func isPropagator(name string) bool {
	_, err := autoprop.TextMapPropagator(name)
	return err == nil
}
