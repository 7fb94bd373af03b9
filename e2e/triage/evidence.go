package triage

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// Evidence is what is known after a wait for a trace has failed. What could not be
// found out is left empty, and Unknown says so; nothing is concluded from it.
type Evidence struct {
	// Completion is what the wait saw.
	Completion tracetree.Completion
	// Applied is when the object was created or changed. Zero where nobody noted it:
	// times are then counted from the beginning of the wait.
	Applied time.Time
	// Object is the kind, namespace and name of the object that the trace is about.
	Object string
	// Traceparent is the object's annotation; empty where it has none.
	Traceparent string
	// Service is the name that the operator's spans should have.
	Service string
	// Receivers are the addresses of the sandbox's Jaeger as the operator's variables
	// would write them: host:port.
	Receivers []string
	// Operator is the process that makes the spans.
	Operator Operator
	// Conditions are those of the object and its children, and Events what the
	// cluster says of them: a line each, the oldest first.
	Conditions, Events []string
	// Unknown are the errors of gathering.
	Unknown []string
}

// Operator is what is known of the operator.
type Operator struct {
	// Env are its variables; nil where they are not known.
	Env map[string]string
	// Started is when it started last; zero where that is not known.
	Started time.Time
	// Restarts counts those of its containers. On an embedded cluster it is 0.
	Restarts int
	// Failures are lines of its log about lost spans since the object was applied.
	Failures []string
	// Lost counts the spans that it could not send since it started, by the kind of the
	// error, as its metrics say; nil where they are not known.
	Lost map[string]int
}

// lost words Lost; empty where no span was lost.
func (o Operator) lost() []string {
	var kinds []string
	sum := 0
	for _, kind := range slices.Sorted(maps.Keys(o.Lost)) {
		if count := o.Lost[kind]; count > 0 {
			sum += count
			kinds = append(kinds, fmt.Sprintf("%s %d", kind, count))
		}
	}
	if sum == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the operator's metrics count %d spans lost since it started: %s", sum, strings.Join(kinds, ", "))}
}

// Variables of OpenTelemetry that decide where spans go, if anywhere.
const (
	variableDisabled       = "OTEL_SDK_DISABLED"
	variableSampler        = "OTEL_TRACES_SAMPLER"
	variableExporter       = "OTEL_TRACES_EXPORTER"
	variableTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	variableEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	variableJaegerEndpoint = "OTEL_EXPORTER_JAEGER_ENDPOINT"
)

// endpoint gives the variable that names where the operator's spans go, and its
// value, which is empty where none is set.
func (o Operator) endpoint() (variable, value string) {
	names := []string{variableTracesEndpoint, variableEndpoint}
	if o.Env[variableExporter] == "jaeger" {
		names = []string{variableJaegerEndpoint}
	}
	for _, name := range names {
		if o.Env[name] != "" {
			return name, o.Env[name]
		}
	}
	return names[len(names)-1], ""
}

// hostPort is the part of an endpoint that names a receiver.
func hostPort(endpoint string) string {
	if _, after, found := strings.Cut(endpoint, "://"); found {
		endpoint = after
	}
	host, _, _ := strings.Cut(endpoint, "/")
	return host
}

// sampled tells whether a traceparent has the flag; a value that is none counts as
// sampled, since nothing follows from it.
func sampled(traceparent string) bool {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 || len(parts[3]) != 2 {
		return true
	}
	return strings.ContainsAny(parts[3][1:], "13579bdf")
}

// admitted is the span that the object's annotation names.
func (e Evidence) admitted() string {
	if parts := strings.Split(e.Traceparent, "-"); len(parts) >= 4 {
		return parts[2]
	}
	return ""
}

// strangers are the services of the trace's spans, if none of them is the operator's.
func (e Evidence) strangers() []string {
	var names []string
	for _, span := range e.Completion.Trace.Spans() {
		if span.Service == e.Service {
			return nil
		}
		names = append(names, fmt.Sprintf("%q", span.Service))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// begun is what times are counted from.
func (e Evidence) begun() time.Time {
	if e.Applied.IsZero() {
		return e.Completion.Begun
	}
	return e.Applied
}

// restarted tells whether the operator that runs is another than the one to which
// the object was applied.
func (e Evidence) restarted() bool {
	// Whoever reports starts does so in whole seconds, so the same second is no proof.
	return !e.Operator.Started.IsZero() && e.Operator.Started.After(e.begun())
}

// orphans are the spans whose parent is missing.
func (e Evidence) orphans() []spantree.Span {
	var spans []spantree.Span
	for _, n := range e.Completion.Defective {
		if n.Defect == spantree.DefectOrphan {
			spans = append(spans, n.Span)
		}
	}
	return spans
}
