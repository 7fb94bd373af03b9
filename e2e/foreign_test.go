package e2e

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// Other tests cover the default, a link.
func TestUntrustedContexts(t *testing.T) {
	f := newFeature("a context from outside becomes what the operator's option says", needPods)
	foreign := func(policy, golden string, check func(s *step, trace tracetree.Trace, outside spantree.Link)) {
		f.assess(policy, func(ctx context.Context, s *step) {
			if err := s.ChangeOperator(ctx, map[string]string{harness.UntrustedContextVariable: policy}); err != nil {
				s.Fatal(err)
			}
			// The user's own span must be in Jaeger, so that the trace can be complete.
			value, outside, err := s.SendForeignSpan(ctx, "roll out")
			if err != nil {
				s.Fatal(err)
			}
			head, err := s.CreateHead(ctx, policy, annotate(tracetree.TraceparentAnnotation, value))
			if err != nil {
				s.Fatal(err)
			}
			trace, err := s.WaitTrace(ctx, head, golden)
			if err != nil {
				s.Fatal(err)
			}
			check(s, trace, outside)
		})
	}
	foreign("parent", "parent.tree", func(s *step, trace tracetree.Trace, outside spantree.Link) {
		if top := root(s.T, trace); trace.ID != outside.TraceID || top.SpanID != outside.SpanID {
			s.Errorf("the root is span %s of trace %s, want the user's own: %v", top.SpanID, trace.ID, outside)
		}
	})
	foreign("ignore", "create.tree", func(s *step, trace tracetree.Trace, outside spantree.Link) {
		if trace.ID == outside.TraceID {
			s.Errorf("the Head is in the user's trace %s", trace.ID)
		}
		if diff := cmp.Diff([]spantree.Link(nil), root(s.T, trace).Links); diff != "" {
			s.Errorf("links of the root (-want +got):\n%s", diff)
		}
	})
	f.run(t)
}
