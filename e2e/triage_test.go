package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/e2e/triage"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// tracelessLimit is the timeout of waits that must fail. Failed exports are in the log by then.
const tracelessLimit = 5 * time.Second

// TestTriage creates each cause, and the report about the trace of a new Head must find it.
func TestTriage(t *testing.T) {
	f := newFeature("a report about a trace that isn't complete says why", needPods)
	for _, test := range []struct {
		name, object string
		env          func(s *step) map[string]string
		head         func(*v1alpha1.Head)
		cause        triage.Cause
		// says has the texts that the report must contain, in addition to the cause.
		says []string
		// counts has further texts if the operator serves metrics.
		counts []string
	}{
		{
			name:   "an unpullable image",
			object: "unpullable",
			head:   func(head *v1alpha1.Head) { head.Spec.ChildA = harness.Unpullable },
			cause:  triage.NeverReady,
			says:   []string{"FAILED  object ready", "ChildA unpullable-child-a: Ready=False", "Pod unpullable-child-a", "missing: converge Head"},
		},
		{
			name:   "a sampler that drops everything",
			object: "unsampled",
			env:    func(*step) map[string]string { return map[string]string{harness.SamplerVariable: "always_off"} },
			cause:  triage.NeverSampled,
			says:   []string{"-00, whose sampled flag is 0", "OTEL_TRACES_SAMPLER=always_off", "ok      object ready: true since"},
		},
		{
			name:   "another service",
			object: "renamed",
			env:    func(*step) map[string]string { return map[string]string{harness.ServiceVariable: "another-service"} },
			cause:  triage.WrongService,
			says:   []string{`"another-service"`, "OTEL_SERVICE_NAME=another-service", "ok      no missing parents: true since", "ok      quiet period: true since"},
		},
		{
			name:   "a closed port",
			object: "unreachable",
			env: func(*step) map[string]string {
				return map[string]string{harness.ProtocolVariable: "http/protobuf", harness.EndpointVariable: "http://127.0.0.1:1/v1/traces"}
			},
			cause: triage.WrongEndpoint,
			says:  []string{harness.EndpointVariable, "127.0.0.1:1", "Jaeger has no span of the trace"},
		},
		{
			name:   "a path that Jaeger doesn't have",
			object: "refused",
			env: func(s *step) map[string]string {
				return map[string]string{harness.ProtocolVariable: "http/protobuf", harness.EndpointVariable: s.OTLPHTTPEndpoint() + "/nowhere"}
			},
			cause: triage.ExporterFailing,
			says:  []string{"/v1/traces/nowhere", "Exporting traces failed", "404"},
			// The spans of the admission and of the reconciles.
			counts: []string{"spans lost since it started: _OTHER "},
		},
		{
			name:   "a parent that was not sent",
			object: "orphaned",
			env:    func(*step) map[string]string { return map[string]string{harness.UntrustedContextVariable: "parent"} },
			head:   annotate(tracetree.TraceparentAnnotation, "00-0123456789abcdef0123456789abcdef-00000000000000aa-01"),
			cause:  triage.ParentMissing,
			says:   []string{"FAILED  no missing parents", "has parent 00000000000000aa", "came from outside", `"admit Head"`},
		},
	} {
		f.assess(test.name, func(ctx context.Context, s *step) {
			if test.env != nil {
				if err := s.ChangeOperator(ctx, test.env(s)); err != nil {
					s.Fatal(err)
				}
			}
			says := test.says
			if s.RunsContainers() { // The operator of an embedded cluster has no metrics.
				says = slices.Concat(says, test.counts)
			}
			checkReport(ctx, s, test.object, test.head, test.cause, says)
		})
	}
	f.run(t)
}

// checkReport creates a Head, whose trace must be incomplete for exactly one cause.
func checkReport(ctx context.Context, s *step, name string, change func(*v1alpha1.Head), cause triage.Cause, says []string) {
	s.Helper()
	head, err := s.CreateHead(ctx, name, change)
	if err != nil {
		s.Fatal(err)
	}
	if cause != triage.NeverReady { // Otherwise a slow Head would be a second cause.
		if err := s.WaitReady(ctx, name); err != nil {
			s.Fatal(err)
		}
	}
	s.TraceLimit = tracelessLimit
	_, err = s.WaitTrace(ctx, head, "create.tree")
	var report *triage.Report
	if !errors.As(err, &report) {
		s.Fatalf("WaitTrace = %v, want a report", err)
	}
	if _, has := report.Has(cause); !has || len(report.Verdicts) != 1 {
		s.Errorf("verdicts = %+v, want only %q", report.Verdicts, cause)
	}
	for _, text := range append(says, "verdict: "+string(cause), "remedy: ", "conditions:\n") {
		if !strings.Contains(report.Error(), text) {
			s.Errorf("report without %q:\n%s", text, report)
		}
	}
	if len(report.Unknown) > 0 {
		s.Errorf("unknown: %q", report.Unknown)
	}
}
