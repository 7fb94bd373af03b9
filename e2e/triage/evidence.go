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

// Evidence is the known state after a failed wait for a trace. Data that could not be read is empty
// and has an entry in Unknown. Nothing is concluded from it.
type Evidence struct {
	// Completion is the result of the wait.
	Completion tracetree.Completion
	// Applied is the time when the object was created or changed. If it is zero, times count from
	// the start of the wait.
	Applied time.Time
	// Object is the kind, namespace and name of the object that the trace is about.
	Object string
	// Traceparent is the object's annotation. It is empty without an annotation.
	Traceparent string
	// Service is the expected service name of the operator's spans.
	Service string
	// Receivers are the addresses of the sandbox's Jaeger as host:port, as the operator's variables
	// contain them.
	Receivers []string
	// Operator is the process that creates the spans.
	Operator Operator
	// Conditions are the conditions of the object and its children. Events are the events of the
	// cluster about them, one per line, oldest first.
	Conditions, Events []string
	// Unknown are the errors of gathering.
	Unknown []string
}

// Operator is the known state of the operator.
type Operator struct {
	// Env are its variables. It is nil if they are unknown.
	Env map[string]string
	// Started is its last start. It is zero if the start is unknown.
	Started time.Time
	// Restarts is the number of restarts of its containers. On an embedded cluster it is 0.
	Restarts int
	// Failures are the lines of its log about lost spans since the object was applied.
	Failures []string
	// Lost has the numbers of spans that it lost since its start, by the kind of the error, from
	// its metrics. It is nil if they are unknown.
	Lost map[string]int
}

// lost returns a line about Lost. It is empty if no span was lost.
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

// Variables of OpenTelemetry for the export of spans.
const (
	variableDisabled       = "OTEL_SDK_DISABLED"
	variableSampler        = "OTEL_TRACES_SAMPLER"
	variableExporter       = "OTEL_TRACES_EXPORTER"
	variableTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	variableEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	variableJaegerEndpoint = "OTEL_EXPORTER_JAEGER_ENDPOINT"
)

// endpoint returns the variable with the endpoint of the operator's spans, and its value, which is
// empty if no variable is set.
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

// hostPort returns the host and port of an endpoint.
func hostPort(endpoint string) string {
	if _, after, found := strings.Cut(endpoint, "://"); found {
		endpoint = after
	}
	host, _, _ := strings.Cut(endpoint, "/")
	return host
}

// sampled reports whether a traceparent has the sampled flag. It returns true for an invalid value,
// from which nothing follows.
func sampled(traceparent string) bool {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 || len(parts[3]) != 2 {
		return true
	}
	return strings.ContainsAny(parts[3][1:], "13579bdf")
}

// admitted returns the id of the span in the object's annotation.
func (e Evidence) admitted() string {
	if parts := strings.Split(e.Traceparent, "-"); len(parts) >= 4 {
		return parts[2]
	}
	return ""
}

// strangers returns the services of the trace's spans, if none of them is the operator's.
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

// start returns the time from which reports count.
func (e Evidence) start() time.Time {
	if e.Applied.IsZero() {
		return e.Completion.Begun
	}
	return e.Applied
}

// restarted reports whether the operator started after the object was applied.
func (e Evidence) restarted() bool {
	// Start times have whole seconds, so a start in the same second proves nothing.
	return !e.Operator.Started.IsZero() && e.Operator.Started.After(e.start())
}

// orphans returns the spans whose parent is missing.
func (e Evidence) orphans() []spantree.Span {
	var spans []spantree.Span
	for _, n := range e.Completion.Defective {
		if n.Defect == spantree.DefectOrphan {
			spans = append(spans, n.Span)
		}
	}
	return spans
}
