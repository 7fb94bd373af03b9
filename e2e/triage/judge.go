package triage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// Cause is why a trace is not complete.
type Cause string

// The causes.
const (
	// NeverSampled: the operator made no spans, because it was told to or because the
	// context that it goes on with says so.
	NeverSampled Cause = "never sampled"
	// ExporterFailing: spans were made, and sending them failed.
	ExporterFailing Cause = "exporter failing"
	// WrongEndpoint: spans are sent, if at all, to something else than this Jaeger.
	WrongEndpoint Cause = "wrong endpoint"
	// WrongService: the spans are there, under the name of another service.
	WrongService Cause = "wrong service"
	// ParentMissing: a span's parent is not in Jaeger.
	ParentMissing Cause = "parent missing"
	// NeverReady: the object did not become what was waited for.
	NeverReady Cause = "object never ready"
	// Unreadable: Jaeger could not be asked, so nothing is known about the trace.
	Unreadable Cause = "jaeger unreadable"
	// Unexplained: none of the others. The trees, or the times, have to tell.
	Unexplained Cause = "unexplained"
)

// Verdict is a cause, what speaks for it, and what to do.
type Verdict struct {
	Cause Cause
	// Because says in one sentence what was seen.
	Because string
	// Remedy says what to try.
	Remedy string
	// Details are lines of what was gathered that belong to it.
	Details []string
}

// Judge gives the causes that the evidence shows: that of the trace first, then that
// of the object. There is always one, [Unexplained] where there is no other.
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

// judgeTrace goes from what makes everything else meaningless to what is only about
// single spans.
func judgeTrace(e Evidence) (Verdict, bool) {
	c := e.Completion
	if c.Reading != nil && !errors.Is(c.Reading, tracetree.ErrNotFound) && !errors.Is(c.Reading, tracetree.ErrTruncated) {
		return Verdict{
			Cause: Unreadable, Because: "the last reading of the trace failed: " + c.Reading.Error(),
			Remedy: "see whether Jaeger runs (sandbox status); the trace may well be whole",
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
		v.Because = fmt.Sprintf("the object's traceparent is %s, whose flag says not sampled, and the operator runs with %s=%s", e.Traceparent, variableSampler, sampler)
	case strings.HasSuffix(sampler, "always_off"):
		v.Because = fmt.Sprintf("the operator runs with %s=%s", variableSampler, sampler)
	case !sampled(e.Traceparent):
		v.Because = fmt.Sprintf("the object's traceparent is %s, whose flag says not sampled", e.Traceparent)
	default:
		return v, false
	}
	v.Remedy = fmt.Sprintf("take %s and %s off the operator, or apply the object with a sampled context", variableSampler, variableDisabled)
	return v, true
}

func wrongEndpoint(e Evidence) (Verdict, bool) {
	v := Verdict{Cause: WrongEndpoint, Details: slices.Concat(e.Operator.lost(), e.Operator.Failures)}
	switch name := e.Operator.Env[variableExporter]; name {
	case "none", "console":
		v.Because = fmt.Sprintf("the operator runs with %s=%s: its spans go to no Jaeger", variableExporter, name)
		v.Remedy = "take " + variableExporter + " off the operator"
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
		Because: fmt.Sprintf("the operator's log says since the object was applied that sending spans to %s failed (it says so once a minute at most)", value),
		Remedy:  "see what the receiver answered, and whether endpoint and protocol belong together",
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
		Because: fmt.Sprintf("Jaeger has %d spans of the trace, of %s alone; they should be of %q", e.Completion.Trace.Len(), strings.Join(names, ", "), e.Service),
		Remedy:  "see OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES of the operator",
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
	v := Verdict{Cause: ParentMissing, Remedy: "see who should have made the parent, and whether that was sampled and sent"}
	outside := false
	for _, span := range orphans {
		line := fmt.Sprintf("span %s (%q of %s) wants parent %s, which Jaeger doesn't have", span.SpanID, span.Name, span.Service, span.ParentSpanID)
		if span.SpanID == e.admitted() {
			outside = true
			line += "; it is where the object's own context begins, so the parent came from outside, with the object"
		}
		v.Details = append(v.Details, line)
	}
	switch {
	case outside:
		v.Because = "the parent came from outside with the object, and whoever made it did not send it to this Jaeger"
	case e.restarted():
		v.Because = fmt.Sprintf("the operator started anew %s after the object was applied: spans that the one before it had not sent died with it", elapsed(e.begun(), e.Operator.Started))
	default:
		v.Because = fmt.Sprintf("%d spans want a parent that Jaeger doesn't have, and the operator did not start anew meanwhile", len(orphans))
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
		Cause: NeverReady, Because: fmt.Sprintf("%s did not come to the state that was waited for: %s", e.Object, ready.Reason),
		Remedy: "see the conditions and events below, the one that is furthest down the chain first", Details: append(details, e.Events...),
	}
}

func unexplained(e Evidence) Verdict {
	c := e.Completion
	v := Verdict{Cause: Unexplained, Details: slices.Concat(e.Unknown, e.Operator.lost())}
	switch spans, quiet := c.State(tracetree.ConditionSpans), c.State(tracetree.ConditionQuiet); {
	case c.Trace.Len() == 0:
		v.Because = "Jaeger has no span of the trace; the context is sampled, the endpoint is Jaeger's, and the operator's log has no failed export"
		v.Remedy = "see whether the operator reconciles at all: its log, and its lease"
	case !spans.Holds:
		v.Because = "spans arrive, from the right service and with all parents, but they are others than expected"
		v.Remedy = "the trees below differ: either the operator works in another way than expected, or the expectation is wrong"
	case !quiet.Holds:
		v.Because = "the trace still grew when the time was over"
		v.Remedy = "see which spans repeat, or wait longer"
	default:
		v.Because = "no condition tells why"
		v.Remedy = "see the trace"
	}
	return v
}

// elapsed is a time between two moments, as reports show it.
func elapsed(from, to time.Time) time.Duration { return to.Sub(from).Round(time.Millisecond) }
