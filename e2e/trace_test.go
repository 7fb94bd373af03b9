package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/util/retry"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain/finding"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

func TestHeadTrace(t *testing.T) {
	var created creation
	created.assess(newFeature("a new Head is one trace", needPods)).
		assess("search finds the trace by service, operation and attributes", created.find).runBeside(t)
}

func TestHeadTraceJaegerExporter(t *testing.T) {
	var created creation
	f := newFeature("a new Head is one trace over Thrift", needPods).
		assess("the operator exports with the Jaeger exporter", func(ctx context.Context, s *step) {
			if err := s.ChangeOperator(ctx, map[string]string{harness.ExporterVariable: "jaeger"}); err != nil {
				s.Fatal(err)
			}
		})
	created.assess(f).assess("the spans came over Thrift", func(_ context.Context, s *step) {
		// Thrift has microseconds. Whole microseconds in all spans over OTLP have a probability of
		// about 1 in 10^30.
		for _, span := range created.trace.Spans() {
			if span.Start.Nanosecond()%1000 != 0 {
				s.Errorf("span %s starts at %s: nanoseconds come over OTLP only", span.Name, span.Start.Format(time.RFC3339Nano))
			}
		}
	}).run(t)
}

func TestHeadTraceOTLPOverHTTP(t *testing.T) {
	var created creation
	f := newFeature("a new Head is one trace over HTTP", needPods).
		assess("the operator exports OTLP over HTTP", func(ctx context.Context, s *step) {
			// The receiver at this address does not support gRPC, so the spans arrive over HTTP.
			env := map[string]string{harness.ProtocolVariable: "http/protobuf", harness.EndpointVariable: s.OTLPHTTPEndpoint()}
			if err := s.ChangeOperator(ctx, env); err != nil {
				s.Fatal(err)
			}
		})
	created.assess(f).run(t)
}

// creation creates a Head and keeps its trace.
type creation struct {
	head  *v1alpha1.Head  // The Head after admission.
	trace tracetree.Trace // complete
}

// assess adds the assessments for every new Head, with any exporter.
func (c *creation) assess(f *feature) *feature {
	return f.assess("admission adds a trace context to the Head", func(ctx context.Context, s *step) {
		head, err := s.CreateHead(ctx, "head", nil)
		if err != nil {
			s.Fatal(err)
		}
		if _, _, err := tracetree.TraceIDOf(head.Annotations); err != nil {
			s.Fatalf("the Head that the API server gave back has %v", err)
		}
		c.head = head
	}).assess("the trace is the expected tree", func(ctx context.Context, s *step) {
		trace, err := s.WaitTrace(ctx, c.head, "create.tree")
		if err != nil {
			s.Fatal(err)
		}
		c.trace = trace
		checkTimes(s.T, trace)
		for _, f := range finding.Find(trace.Forest(), finding.Options{}) {
			s.Errorf("the trace of a healthy operator has the finding %s: %s: %s", f.ID, f.Object, f.Summary)
		}
		if _, admitted, _ := tracetree.TraceIDOf(c.head.Annotations); root(s.T, trace).SpanID != admitted {
			s.Errorf("the root is span %s, and the annotation names span %s", root(s.T, trace).SpanID, admitted)
		}
		if links := root(s.T, trace).Links; len(links) != 0 {
			s.Errorf("the root of a first trace has the links %v", links)
		}
	})
}

// find searches the trace as a user without the annotation does.
func (c *creation) find(ctx context.Context, s *step) {
	traces, err := s.Jaeger.FindTraces(ctx, tracetree.Query{
		Service: harness.Service, Operation: "admit Head",
		Tags: map[string]string{"operator.object.name": c.head.Name, "k8s.namespace.name": c.head.Namespace},
	})
	if err != nil {
		s.Fatal(err)
	}
	var found []string
	for _, trace := range traces {
		found = append(found, trace.ID)
	}
	if diff := cmp.Diff([]string{c.trace.ID}, found); diff != "" {
		s.Errorf("traces found (-want +got):\n%s", diff)
	}
}

// unchanged fails the test unless the trace has the same spans as before.
func (c *creation) unchanged(ctx context.Context, s *step) {
	now, err := s.Jaeger.GetTrace(ctx, c.trace.ID)
	if err != nil {
		s.Fatal(err)
	}
	if diff := cmp.Diff(sorted(c.trace), sorted(now)); diff != "" {
		s.Errorf("spans of trace %s (-before +now):\n%s", c.trace.ID, diff)
	}
}

// context returns the Head's context as a link.
func (c *creation) context(t *testing.T) spantree.Link {
	t.Helper()
	traceID, spanID, err := tracetree.TraceIDOf(c.head.Annotations)
	if err != nil {
		t.Fatal(err)
	}
	return spantree.Link{TraceID: traceID, SpanID: spanID}
}

// root returns the only root of a trace that matched its tree.
func root(t *testing.T, trace tracetree.Trace) spantree.Span {
	t.Helper()
	roots := trace.Forest().Roots
	if len(roots) != 1 {
		t.Fatalf("trace %s has %d roots, want 1", trace.ID, len(roots))
	}
	return roots[0].Span
}

// checkTimes fails the test unless every span ends after its start, and the root ends before its
// consequences start.
func checkTimes(t *testing.T, trace tracetree.Trace) {
	t.Helper()
	admission := root(t, trace)
	for _, span := range trace.Spans() {
		if span.Start.IsZero() || span.End.Before(span.Start) {
			t.Errorf("span %s lasts from %s to %s", span.Name, span.Start, span.End)
		}
		if span.Kind == spantree.KindConsumer && span.Start.Before(admission.End) {
			t.Errorf("span %s starts %s before the admission has ended", span.Name, admission.End.Sub(span.Start))
		}
	}
}

func TestHeadUpdateKeepsOneTracePerChange(t *testing.T) {
	var first, second creation
	f := newFeature("a changed Head has a second trace", needPods)
	first.assess(f).assess("the update starts a new trace", func(ctx context.Context, s *step) {
		head, err := updateHead(ctx, s.Fixture, first.head.Name, func(head *v1alpha1.Head) { head.Spec.ChildA = harness.OtherImage })
		if err != nil {
			s.Fatal(err)
		}
		second.head = head
		traceID, _, err := tracetree.TraceIDOf(head.Annotations)
		if err != nil || traceID == first.trace.ID {
			s.Fatalf("the updated Head names trace %q (%v), want another than %s", traceID, err, first.trace.ID)
		}
	}).assess("the second trace is the expected tree", func(ctx context.Context, s *step) {
		trace, err := s.WaitTrace(ctx, second.head, "update.tree")
		if err != nil {
			s.Fatal(err)
		}
		second.trace = trace
		checkTimes(s.T, trace)
	}).assess("the second trace is linked to the first", func(_ context.Context, s *step) {
		want := []spantree.Link{first.context(s.T)}
		if diff := cmp.Diff(want, root(s.T, second.trace).Links); diff != "" {
			s.Errorf("links of the second trace's root (-want +got):\n%s", diff)
		}
	}).assess("the first trace is as it was", first.unchanged).assess("the Deployment runs the new image", func(ctx context.Context, s *step) {
		deployment := &appsv1.Deployment{}
		if err := s.Get(ctx, childName(first.head), deployment); err != nil {
			s.Fatal(err)
		}
		if got := deployment.Spec.Template.Spec.Containers[0].Image; got != harness.OtherImage {
			s.Errorf("the Deployment's image is %s, want %s", got, harness.OtherImage)
		}
	}).runBeside(t)
}

// updateHead changes a Head, retries after a conflict, and returns it as stored after admission.
func updateHead(ctx context.Context, s *harness.Fixture, name string, change func(*v1alpha1.Head)) (*v1alpha1.Head, error) {
	var head *v1alpha1.Head
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		head = &v1alpha1.Head{}
		if err := s.Get(ctx, name, head); err != nil {
			return err
		}
		change(head)
		s.Applied(name)
		return s.Client.Update(ctx, head)
	})
	return head, err
}

func sorted(trace tracetree.Trace) []spantree.Span {
	spans := trace.Spans()
	slices.SortFunc(spans, func(a, b spantree.Span) int { return strings.Compare(a.SpanID, b.SpanID) })
	return spans
}

// childName returns the name of a Head's ChildA, and of its Deployment.
func childName(head *v1alpha1.Head) string { return head.Name + "-child-a" }
