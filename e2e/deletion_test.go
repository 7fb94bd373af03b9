package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

func TestHeadDeletion(t *testing.T) {
	var created creation
	var deletion tracetree.Trace
	created.assess(newFeature("a deleted Head has a trace of its own", needPods)).
		assess("the trace of its last generation is the expected forest", func(ctx context.Context, s *step) {
			if err := s.Client.Delete(ctx, created.head.DeepCopy()); err != nil {
				s.Fatal(err)
			}
			// The deletion of a Head writes no context, but increments its generation.
			id := harness.GenerationTraceID(created.head, created.head.Generation+1)
			trace, err := s.WaitTraceID(ctx, created.head, id, "delete.tree", s.GoneCheck(s.Namespace, created.head.Name))
			if err != nil {
				s.Fatal(err)
			}
			deletion = trace
		}).
		assess("its roots are linked to the Head's context", func(_ context.Context, s *step) {
			linkedRoots(s.T, deletion, created.context(s.T))
		}).
		assess("the first trace is as it was", created.unchanged).
		assess("with the Head went all that was made for it", func(ctx context.Context, s *step) {
			for _, obj := range []client.Object{&v1alpha1.ChildA{}, &appsv1.Deployment{}} {
				if err := s.Get(ctx, childName(created.head), obj); !apierrors.IsNotFound(err) {
					s.Errorf("Get %T %s = %v, want not found", obj, childName(created.head), err)
				}
			}
			pods := &corev1.PodList{}
			if err := s.Client.List(ctx, pods, client.InNamespace(s.Namespace)); err != nil {
				s.Fatal(err)
			}
			for _, pod := range pods.Items {
				if pod.DeletionTimestamp.IsZero() {
					s.Errorf("Pod %s exists", pod.Name)
				}
			}
		}).runBeside(t)
}

// linkedRoots fails the test unless each root of a trace has a link to a span. Further links may
// only lead to other spans of the same trace, which are the events that woke the reconcile.
func linkedRoots(t *testing.T, trace tracetree.Trace, to spantree.Link) {
	t.Helper()
	for _, root := range trace.Forest().Roots {
		links := root.Span.Links
		named := slices.ContainsFunc(links, func(l spantree.Link) bool { return l.TraceID == to.TraceID && l.SpanID == to.SpanID })
		others := slices.ContainsFunc(links, func(l spantree.Link) bool { return l.TraceID != to.TraceID })
		if !named || others {
			t.Errorf("root %s %s has the links %v, want %v and none to other traces", root.Span.Name, root.Span.SpanID, links, to)
		}
	}
}

func TestChildDeletedLate(t *testing.T) {
	const age = 3 * time.Second // The test waits for it.
	var created creation
	var child v1alpha1.ChildA
	var repair tracetree.Trace
	f := newFeature("a repair long after the change has a trace of its own", needPods).
		assess("objects are old after "+age.String(), func(ctx context.Context, s *step) {
			if err := s.ChangeOperator(ctx, map[string]string{harness.ConvergedAgeVariable: age.String()}); err != nil {
				s.Fatal(err)
			}
		})
	created.assess(f).
		assess("the Head is old", func(ctx context.Context, s *step) {
			if err := s.WaitAge(ctx, created.head.Name, age); err != nil {
				s.Fatal(err)
			}
		}).
		assess("its ChildA is created again", func(ctx context.Context, s *step) {
			recreated(ctx, s.T, s.Fixture, childName(created.head), func() client.Object { return &v1alpha1.ChildA{} })
			if err := s.Get(ctx, childName(created.head), &child); err != nil {
				s.Fatal(err)
			}
		}).
		assess("the repair's trace is the expected tree", func(ctx context.Context, s *step) {
			var id string
			err := harness.Eventually(ctx, time.Minute, "a trace of the new ChildA", func(ctx context.Context) error {
				tree, _, err := tracetree.FindCurrent(ctx, s.Observed, &child)
				id = tree.ID
				return err
			})
			if err != nil {
				s.Fatal(err)
			}
			if id == created.trace.ID {
				s.Fatalf("the new ChildA is in trace %s, which is the Head's", id)
			}
			if repair, err = s.WaitTraceID(ctx, created.head, id, "repair.tree", s.ReadyCheck(s.Namespace, created.head.Name)); err != nil {
				s.Fatal(err)
			}
		}).
		assess("it is linked to the Head's context", func(_ context.Context, s *step) {
			linkedRoots(s.T, repair, created.context(s.T))
		}).
		assess("no other ChildA is in the Head's trace", func(ctx context.Context, s *step) {
			now, err := s.Jaeger.GetTrace(ctx, created.trace.ID)
			if err != nil {
				s.Fatal(err)
			}
			if n := count(now, "create ChildA"); n != 1 {
				s.Errorf("the Head's trace has %d spans create ChildA, want 1:\n%s", n, now.Forest())
			}
		}).run(t)
}

// count returns the number of spans with a name.
func count(trace tracetree.Trace, name string) int {
	n := 0
	for _, span := range trace.Spans() {
		if span.Name == name {
			n++
		}
	}
	return n
}
