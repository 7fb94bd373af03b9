package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// leaseLimit is the maximum time until an operator replaces a killed one, whose lease must expire.
const leaseLimit = time.Minute

func TestOperatorKilled(t *testing.T) {
	var half halfway
	half.assess(newFeature("a killed operator's successor goes on with the trace", needPods)).
		assess("the operator is killed, and comes back", func(ctx context.Context, s *step) {
			s.Restore(ctx, 3*time.Minute, "starting the operator", s.StartOperator)
			if err := s.KillOperator(ctx); err != nil {
				s.Fatal(err)
			}
			if err := s.StartOperator(ctx); err != nil {
				s.Fatal(err)
			}
		})
	half.finish().run(t)
}

func TestLeaderFails(t *testing.T) {
	var half halfway
	var leader string
	f := newFeature("another replica takes over", needKubelet).
		assess("two replicas", func(ctx context.Context, s *step) {
			s.Restore(ctx, 3*time.Minute, "scaling the operator back", func(ctx context.Context) error {
				return errors.Join(s.SetOperatorReplicas(ctx, 1), s.WaitAdmission(ctx))
			})
			if err := s.SetOperatorReplicas(ctx, 2); err != nil {
				s.Fatal(err)
			}
		})
	half.assess(f).
		assess("the one that leads is killed, and another pod leads", func(ctx context.Context, s *step) {
			var err error
			if leader, err = s.Leader(ctx); err != nil || leader == "" {
				s.Fatalf("leader = %q, %v", leader, err)
			}
			if err := s.KillOperator(ctx); err != nil {
				s.Fatal(err)
			}
			err = harness.Eventually(ctx, leaseLimit, "another leader", func(ctx context.Context) error {
				now, err := s.Leader(ctx)
				if err == nil && (now == "" || now == leader) {
					err = errors.New("the leader is " + now)
				}
				return err
			})
			if err != nil {
				s.Fatal(err)
			}
		})
	half.finish().run(t)
}

// halfway is a Head that cannot become ready yet, because no node accepts its Pods.
type halfway struct {
	creation

	f *feature
}

// assess creates the Head, and waits until its trace has all possible spans, so that a killed
// process loses no span.
func (h *halfway) assess(f *feature) *feature {
	h.f = f
	return f.assess("no node takes Pods", func(ctx context.Context, s *step) {
		s.Restore(ctx, time.Minute, "letting the nodes take Pods", s.Uncordon)
		if err := s.Cordon(ctx); err != nil {
			s.Fatal(err)
		}
	}).assess("a Head is on its way", func(ctx context.Context, s *step) {
		head, err := s.CreateHead(ctx, "head", nil)
		if err != nil {
			s.Fatal(err)
		}
		h.head = head
		id, _, err := tracetree.TraceIDOf(head.Annotations)
		if err != nil {
			s.Fatal(err)
		}
		waiting := func(ctx context.Context) (tracetree.Readiness, error) {
			is, err := s.ReadyCheck(s.Namespace, head.Name)(ctx)
			is.Ready = strings.Contains(is.State, "Ready is False")
			return is, err
		}
		if h.trace, err = s.WaitTraceID(ctx, head, id, "halfway.tree", waiting); err != nil {
			s.Fatal(err)
		}
	})
}

// finish makes the Head ready.
func (h *halfway) finish() *feature {
	return h.f.assess("the nodes take Pods again, and the trace becomes the expected tree", func(ctx context.Context, s *step) {
		if err := s.Uncordon(ctx); err != nil {
			s.Fatal(err)
		}
		trace, err := s.WaitTrace(ctx, h.head, "create.tree")
		if err != nil {
			s.Fatal(err)
		}
		checkTimes(s.T, trace)
		before := map[string]spantree.Span{}
		for _, span := range trace.Spans() {
			before[span.SpanID] = span
		}
		for _, span := range h.trace.Spans() {
			if diff := cmp.Diff(span, before[span.SpanID], cmpopts.EquateEmpty()); diff != "" {
				s.Errorf("a span of the first process (-before +now):\n%s", diff)
			}
		}
	})
}
