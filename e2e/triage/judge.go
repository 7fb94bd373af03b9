package triage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// Cause is a reason why a trace is not complete.
type Cause string

// The causes.
const (
	// NeverSampled: the operator created no spans, because its variables or the context of the
	// object disable sampling.
	NeverSampled Cause = "never sampled"
	// ExporterFailing: the operator created spans, but sending them failed.
	ExporterFailing Cause = "exporter failing"
	// WrongEndpoint: the operator sends its spans to another receiver than this Jaeger, or not at
	// all.
	WrongEndpoint Cause = "wrong endpoint"
	// WrongService: Jaeger has the spans with another service name.
	WrongService Cause = "wrong service"
	// ParentMissing: a span's parent is not in Jaeger.
	ParentMissing Cause = "parent missing"
	// NeverReady: the object did not reach the required state.
	NeverReady Cause = "object never ready"
	// Unreadable: Jaeger did not answer, so the state of the trace is unknown.
	Unreadable Cause = "jaeger unreadable"
	// Unexplained: no other cause applies. The trees or the times must explain the failure.
	Unexplained Cause = "unexplained"
)

// Verdict is a cause with its evidence and a remedy.
type Verdict struct {
	Cause Cause
	// Because is a sentence about the evidence.
	Because string
	// Remedy is a recommendation.
	Remedy string
	// Details are lines of the evidence for the cause.
	Details []string
}

// Judge returns the causes that the evidence proves: first the cause for the trace, then the cause
// for the object. There is always at least one, which is [Unexplained] if no other cause applies.
func Judge(e Evidence) []Verdict {
	var verdicts []Verdict
	if v, found := judgeTrace(e); found {
		verdicts = append(verdicts, v)
	}
	if ready := e.Completion.State(tracetree.ConditionReady); ready.Asked && !ready.Holds {
		verdicts = append(verdicts, neverReady(e, ready))
	}
	if len(verdicts) > 0 {
		return verdicts
	}
	return []Verdict{unexplained(e)}
}

// judgeTrace checks causes in the order of their importance: first causes that affect all spans,
// then causes that affect single spans.
func judgeTrace(e Evidence) (Verdict, bool) {
	c := e.Completion
	if c.Reading != nil && !errors.Is(c.Reading, tracetree.ErrNotFound) && !errors.Is(c.Reading, tracetree.ErrTruncated) {
		return Verdict{
			Cause: Unreadable, Because: "the last reading of the trace failed: " + c.Reading.Error(),
			Remedy: "check whether Jaeger runs (sandbox status); the trace may be complete",
		}, true
	}
	judges := []func(Evidence) (Verdict, bool){wrongService, parentMissing, exporterFailing}
	if c.Trace.Len() == 0 {
		judges = []func(Evidence) (Verdict, bool){neverSampled, wrongEndpoint, exporterFailing}
	}
	for _, judge := range judges {
		if v, found := judge(e); found {
			return v, true
		}
	}
	return Verdict{}, false
}

func neverSampled(e Evidence) (Verdict, bool) {
	v := Verdict{Cause: NeverSampled}
	sampler := e.Operator.Env[variableSampler]
	switch {
	case strings.EqualFold(e.Operator.Env[variableDisabled], "true"):
		v.Because = fmt.Sprintf("the operator runs with %s=true", variableDisabled)
	case sampler != "" && !sampled(e.Traceparent):
		v.Because = fmt.Sprintf("the object's traceparent is %s, whose sampled flag is 0, and the operator runs with %s=%s", e.Traceparent, variableSampler, sampler)
	case strings.HasSuffix(sampler, "always_off"):
		v.Because = fmt.Sprintf("the operator runs with %s=%s", variableSampler, sampler)
	case !sampled(e.Traceparent):
		v.Because = fmt.Sprintf("the object's traceparent is %s, whose sampled flag is 0", e.Traceparent)
	default:
		return v, false
	}
	v.Remedy = fmt.Sprintf("remove %s and %s from the operator, or apply the object with a sampled context", variableSampler, variableDisabled)
	return v, true
}

func wrongEndpoint(e Evidence) (Verdict, bool) {
	v := Verdict{Cause: WrongEndpoint, Details: slices.Concat(e.Operator.lost(), e.Operator.Failures)}
	switch name := e.Operator.Env[variableExporter]; name {
	case "none", "console":
		v.Because = fmt.Sprintf("the operator runs with %s=%s, which sends its spans elsewhere", variableExporter, name)
		v.Remedy = "take " + variableExporter + " from the operator"
		return v, true
	}
	variable, value := e.Operator.endpoint()
	if e.Operator.Env == nil || len(e.Receivers) == 0 {
		return v, false
	}
	for _, receiver := range e.Receivers {
		if hostPort(value) == receiver {
			return v, false
		}
	}
	v.Because = fmt.Sprintf("Jaeger has no span of the trace, and the operator's %s is %q: the sandbox's Jaeger is at %s", variable, value, strings.Join(e.Receivers, ", "))
	v.Remedy = "correct " + variable + " of the operator"
	return v, true
}

func exporterFailing(e Evidence) (Verdict, bool) {
	failures := e.Operator.Failures
	spans := e.Completion.State(tracetree.ConditionSpans)
	if len(failures) == 0 || spans.Holds {
		return Verdict{}, false
	}
	_, value := e.Operator.endpoint()
	return Verdict{
		Cause:   ExporterFailing,
		Because: fmt.Sprintf("since the object was applied, the operator logged failures of sending spans to %s (at most one line per minute)", value),
		Remedy:  "check the responses of the receiver, and whether the endpoint matches the protocol",
		Details: slices.Concat(e.Operator.lost(), failures),
	}, true
}

func wrongService(e Evidence) (Verdict, bool) {
	names := e.strangers()
	if len(names) == 0 {
		return Verdict{}, false
	}
	v := Verdict{
		Cause:   WrongService,
		Because: fmt.Sprintf("Jaeger has %d spans of the trace, only of %s; want service %q", e.Completion.Trace.Len(), strings.Join(names, ", "), e.Service),
		Remedy:  "check OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES of the operator",
	}
	for _, name := range []string{"OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"} {
		if value := e.Operator.Env[name]; value != "" {
			v.Details = append(v.Details, fmt.Sprintf("the operator runs with %s=%s", name, value))
		}
	}
	return v, true
}

func parentMissing(e Evidence) (Verdict, bool) {
	orphans := e.orphans()
	if len(orphans) == 0 {
		return Verdict{}, false
	}
	v := Verdict{Cause: ParentMissing, Remedy: "check the program that should have created the parent, and whether it sampled and sent the span"}
	outside := false
	for _, span := range orphans {
		line := fmt.Sprintf("span %s (%q of %s) has parent %s, which is not in Jaeger", span.SpanID, span.Name, span.Service, span.ParentSpanID)
		if span.SpanID == e.admitted() {
			outside = true
			line += "; the object's context starts at this span, so the parent came from outside, with the object"
		}
		v.Details = append(v.Details, line)
	}
	switch {
	case outside:
		v.Because = "the parent came from outside with the object, and its program did not send it to this Jaeger"
	case e.restarted():
		v.Because = fmt.Sprintf("the operator restarted %s after the object was applied, so the unsent spans of the earlier process were lost", elapsed(e.start(), e.Operator.Started))
	default:
		v.Because = fmt.Sprintf("%d spans have a parent that is not in Jaeger, and the operator did not restart meanwhile", len(orphans))
	}
	if e.Operator.Restarts > 0 {
		v.Details = append(v.Details, fmt.Sprintf("the operator's containers were restarted %d times", e.Operator.Restarts))
	}
	v.Details = slices.Concat(v.Details, e.Operator.lost(), e.Operator.Failures)
	return v, true
}

func neverReady(e Evidence, ready tracetree.State) Verdict {
	details := append([]string{}, e.Conditions...)
	return Verdict{
		Cause: NeverReady, Because: fmt.Sprintf("%s did not reach the required state: %s", e.Object, ready.Reason),
		Remedy: "check the conditions and events below, the lowest descendant first", Details: append(details, e.Events...),
	}
}

func unexplained(e Evidence) Verdict {
	c := e.Completion
	v := Verdict{Cause: Unexplained, Details: slices.Concat(e.Unknown, e.Operator.lost())}
	switch spans, quiet := c.State(tracetree.ConditionSpans), c.State(tracetree.ConditionQuiet); {
	case c.Trace.Len() == 0:
		v.Because = "Jaeger has no span of the trace; the context is sampled, the endpoint is Jaeger's, and the operator's log has no failed export"
		v.Remedy = "check whether the operator reconciles: see its log and its lease"
	case !spans.Holds:
		v.Because = "spans of the correct service arrive with all parents, but they differ from the expected ones"
		v.Remedy = "compare the trees below; the operator or the expected tree is wrong"
	case !quiet.Holds:
		v.Because = "the trace was still growing at the timeout"
		v.Remedy = "check which spans repeat, or increase the timeout"
	default:
		v.Because = "no condition explains it"
		v.Remedy = "check the trace"
	}
	return v
}

// elapsed returns the time between two moments, rounded for reports.
func elapsed(from, to time.Time) time.Duration { return to.Sub(from).Round(time.Millisecond) }
