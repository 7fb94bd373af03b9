package triage

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

const operatorService = "operator"

var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// evidence returns the evidence of a trace that Jaeger does not have, with a correct operator and a
// ready Head.
func evidence() Evidence {
	return Evidence{
		Completion: tracetree.Completion{
			TraceID: strings.Repeat("ab", 16), Begun: begun.Add(time.Second), Waited: 5 * time.Second, Reading: tracetree.ErrNotFound,
			States: []tracetree.State{
				{Condition: tracetree.ConditionSpans, Asked: true, Reason: "no span"},
				{Condition: tracetree.ConditionParents}, {Condition: tracetree.ConditionQuiet},
				{Condition: tracetree.ConditionReady, Asked: true, Holds: true, Since: begun.Add(1500 * time.Millisecond)},
			},
		},
		Applied: begun, Object: "Head ns/head", Traceparent: "00-" + strings.Repeat("ab", 16) + "-0000000000000001-01",
		Service: operatorService, Receivers: []string{"jaeger:4317", "jaeger:4318", "jaeger:14268"},
		Operator: Operator{Env: map[string]string{variableEndpoint: "http://jaeger:4317"}, Started: begun.Add(-time.Hour)},
	}
}

// with adds spans to the trace, each as id, parent id and service.
func with(e *Evidence, spans ...[3]string) {
	traces := ptrace.NewTraces()
	for _, s := range spans {
		resource := traces.ResourceSpans().AppendEmpty()
		resource.Resource().Attributes().PutStr("service.name", s[2])
		span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetName("span " + s[0])
		span.SetTraceID(pcommon.TraceID{0xab})
		span.SetSpanID(pcommon.SpanID{7: s[0][0] - '0'})
		if s[1] != "" {
			span.SetParentSpanID(pcommon.SpanID{7: s[1][0] - '0'})
		}
	}
	e.Completion.Trace = tracetree.FromOTLP(traces)[0]
	e.Completion.Reading = nil
	e.Completion.Defective = e.Completion.Trace.Forest().Defective()
}

func TestJudge(t *testing.T) {
	fail := []string{"Exporting traces failed"}
	set := func(name, value string) func(*Evidence) {
		return func(e *Evidence) { e.Operator.Env[name] = value }
	}
	unready := func(e *Evidence) {
		e.Completion.States[3] = tracetree.State{Condition: tracetree.ConditionReady, Asked: true, Reason: "Ready is False"}
		e.Conditions, e.Events = []string{"Pod p: waits: ImagePullBackOff"}, []string{"event of Pod p: Failed"}
	}
	tests := map[string]struct {
		change func(*Evidence)
		want   []Cause
		says   string // A part of the report.
	}{
		"nothing tells":             {func(*Evidence) {}, []Cause{Unexplained}, "Jaeger has no span of the trace"},
		"disabled":                  {set(variableDisabled, "true"), []Cause{NeverSampled}, "OTEL_SDK_DISABLED=true"},
		"sampler":                   {set(variableSampler, "parentbased_always_off"), []Cause{NeverSampled}, "parentbased_always_off"},
		"sampler that takes all":    {set(variableSampler, "always_on"), []Cause{Unexplained}, ""},
		"flag":                      {func(e *Evidence) { e.Traceparent = e.Traceparent[:53] + "00" }, []Cause{NeverSampled}, "sampled flag is 0"},
		"another flag than sampled": {func(e *Evidence) { e.Traceparent = e.Traceparent[:53] + "02" }, []Cause{NeverSampled}, ""},
		"sampled and another":       {func(e *Evidence) { e.Traceparent = e.Traceparent[:53] + "03" }, []Cause{Unexplained}, ""},
		"no traceparent":            {func(e *Evidence) { e.Traceparent = "" }, []Cause{Unexplained}, ""},
		"endpoint":                  {set(variableTracesEndpoint, "http://elsewhere:4317/x"), []Cause{WrongEndpoint}, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is "http://elsewhere:4317/x"`},
		"endpoint of Jaeger":        {set(variableTracesEndpoint, "jaeger:4318"), []Cause{Unexplained}, ""},
		"no endpoint":               {func(e *Evidence) { clear(e.Operator.Env) }, []Cause{WrongEndpoint}, `OTEL_EXPORTER_OTLP_ENDPOINT is ""`},
		"unknown variables":         {func(e *Evidence) { e.Operator.Env = nil }, []Cause{Unexplained}, ""},
		"no exporter":               {set(variableExporter, "none"), []Cause{WrongEndpoint}, "OTEL_TRACES_EXPORTER=none"},
		"Thrift to nowhere":         {set(variableExporter, "jaeger"), []Cause{WrongEndpoint}, "OTEL_EXPORTER_JAEGER_ENDPOINT"},
		"failures":                  {func(e *Evidence) { e.Operator.Failures = fail }, []Cause{ExporterFailing}, "| Exporting traces failed"},
		"failures that are counted": {func(e *Evidence) {
			e.Operator.Failures, e.Operator.Lost = fail, map[string]int{"Unavailable": 12, "timeout": 0, "_OTHER": 3}
		}, []Cause{ExporterFailing}, "| the operator's metrics count 15 spans lost since it started: Unavailable 12, _OTHER 3\n  | Exporting traces failed"},
		"losses of long ago":           {func(e *Evidence) { e.Operator.Lost = map[string]int{"timeout": 1} }, []Cause{Unexplained}, "count 1 spans lost"},
		"failures of a wrong endpoint": {func(e *Evidence) { e.Operator.Failures = fail; set(variableEndpoint, "x:1")(e) }, []Cause{WrongEndpoint}, "| Exporting traces failed"},
		"some spans lost":              {func(e *Evidence) { e.Operator.Failures = fail; with(e, [3]string{"1", "", operatorService}) }, []Cause{ExporterFailing}, ""},
		"failures about something else": {func(e *Evidence) {
			e.Operator.Failures = fail
			with(e, [3]string{"1", "", operatorService})
			e.Completion.States[0].Holds = true
		}, []Cause{Unexplained}, ""},
		"another service":     {func(e *Evidence) { with(e, [3]string{"1", "", "x"}, [3]string{"2", "1", "x"}) }, []Cause{WrongService}, `2 spans of the trace, only of "x"`},
		"another service too": {func(e *Evidence) { with(e, [3]string{"1", "", "user"}, [3]string{"2", "1", operatorService}) }, []Cause{Unexplained}, "differ from the expected ones"},
		"parent": {func(e *Evidence) { with(e, [3]string{"2", "9", operatorService}) }, []Cause{ParentMissing},
			`span 0000000000000002 ("span 2" of operator) has parent 0000000000000009`},
		"parent from outside": {func(e *Evidence) { with(e, [3]string{"1", "9", operatorService}) }, []Cause{ParentMissing}, "came from outside"},
		"parent of a dead operator": {func(e *Evidence) {
			with(e, [3]string{"2", "9", operatorService})
			e.Operator.Started, e.Operator.Restarts = begun.Add(2*time.Second), 3
		}, []Cause{ParentMissing}, "restarted 2s after the object was applied"},
		"unreachable":           {func(e *Evidence) { e.Completion.Reading = tracetree.ErrUnreachable }, []Cause{Unreadable}, "the last reading of the trace failed"},
		"not ready":             {unready, []Cause{NeverReady}, "| Pod p: waits: ImagePullBackOff\n  | event of Pod p: Failed"},
		"not ready nor sampled": {func(e *Evidence) { unready(e); set(variableSampler, "always_off")(e) }, []Cause{NeverSampled, NeverReady}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := evidence()
			test.change(&e)
			report := NewReport(e, errors.New("time is over"))
			var got []Cause
			for _, v := range report.Verdicts {
				got = append(got, v.Cause)
				if v.Because == "" || v.Remedy == "" {
					t.Errorf("verdict %+v has no reason or no remedy", v)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("causes (-want +got):\n%s", diff)
			}
			if !strings.Contains(report.Error(), test.says) {
				t.Errorf("report without %q:\n%s", test.says, report)
			}
		})
	}
}

func TestReport(t *testing.T) {
	e := evidence()
	with(&e, [3]string{"1", "", "x"})
	e.Operator.Env["OTEL_SERVICE_NAME"] = "x"
	e.Unknown = []string{"the events: refused"}
	waited := errors.New("time is over")
	report := NewReport(e, waited)
	want := `trace abababababababababababababababab of Head ns/head was not complete 5s after the start of the wait
verdict: wrong service: Jaeger has 1 spans of the trace, only of "x"; want service "operator"
  remedy: check OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES of the operator
  | the operator runs with OTEL_SERVICE_NAME=x
conditions:
  FAILED  expected spans: no span
  -       no missing parents: not checked
  -       quiet period: not checked
  ok      object ready: true since 1.5s after the object was applied
unknown: the events: refused
last state of the trace:
span 1 [INTERNAL service=x]`
	if diff := cmp.Diff(want, report.Error()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if !errors.Is(report, waited) {
		t.Error("the report hides the wait's error")
	}
}
