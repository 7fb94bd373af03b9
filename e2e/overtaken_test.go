package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

const (
	// overtakers is the number of Heads that are changed at once, so that the operator is busy at
	// the second change of a Head.
	overtakers = 8
	// overtakeLimit is the timeout of the attempts until one change has overtaken another. One
	// attempt is nearly always enough.
	overtakeLimit = 2 * time.Minute
)

func TestUpdatesOvertaken(t *testing.T) {
	var changed []*overtaker
	newFeature("a change that is overtaken is linked from the one that came after", needPods).
		assess("Heads are changed twice, until a second change came before the first was seen", func(ctx context.Context, s *step) {
			try := 0
			err := harness.Eventually(ctx, overtakeLimit, "a change to overtake another", func(ctx context.Context) error {
				try++
				var err error
				if changed, err = changeTwice(ctx, s, try); err != nil {
					s.Fatal(err)
				}
				if !slices.ContainsFunc(changed, func(o *overtaker) bool { return o.superseded(s) }) {
					return errors.New("the operator reconciled each change")
				}
				return nil
			})
			if err != nil {
				s.Fatal(err)
			}
		}).
		assess("the trace of the overtaken change has only its admission, and the other links to it", func(_ context.Context, s *step) {
			for _, o := range changed {
				o.check(s)
			}
		}).runBeside(t)
}

// overtaker is a Head that was changed twice in a row.
type overtaker struct {
	name string
	// first and second are the contexts of the two changes.
	first, second spantree.Link
	final         tracetree.Trace // The complete trace of the second change.
}

// changeTwice creates some Heads, changes them, and waits for the traces of the second changes.
func changeTwice(ctx context.Context, s *step, try int) ([]*overtaker, error) {
	all := make([]*overtaker, overtakers)
	for i := range all {
		all[i] = &overtaker{name: fmt.Sprintf("head-%d-%d", try, i)}
		if _, err := s.CreateHead(ctx, all[i].name, nil); err != nil {
			return nil, err
		}
	}
	for _, o := range all {
		if err := s.WaitReady(ctx, o.name); err != nil {
			return nil, err
		}
	}
	group, within := errgroup.WithContext(ctx)
	for _, o := range all {
		group.Go(func() (err error) {
			if o.first, err = o.change(within, s, harness.Unpullable); err != nil {
				return err
			}
			o.second, err = o.change(within, s, harness.OtherImage)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, o := range all {
		head := harness.NewHead(s.Namespace, o.name)
		var err error
		if o.final, err = s.WaitTraceID(ctx, head, o.second.TraceID, "overtaking.tree", s.ReadyCheck(s.Namespace, o.name)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (o *overtaker) change(ctx context.Context, s *step, image string) (spantree.Link, error) {
	head, err := updateHead(ctx, s.Fixture, o.name, func(head *v1alpha1.Head) { head.Spec.ChildA = image })
	if err != nil {
		return spantree.Link{}, fmt.Errorf("changing Head %s: %w", o.name, err)
	}
	var context spantree.Link
	context.TraceID, context.SpanID, err = tracetree.TraceIDOf(head.Annotations)
	return context, err
}

// superseded reports whether there was no reconcile for the first change.
func (o *overtaker) superseded(s *step) bool {
	s.Helper()
	return count(o.trace(s), "reconcile Head") == 0
}

// trace returns the trace of the first change. It is older than the trace of the second, which is
// complete.
func (o *overtaker) trace(s *step) tracetree.Trace {
	s.Helper()
	trace, err := s.Jaeger.GetTrace(s.Context(), o.first.TraceID)
	if err != nil {
		s.Fatal(err)
	}
	return trace
}

func (o *overtaker) check(s *step) {
	s.Helper()
	top := root(s.T, o.final)
	if !slices.ContainsFunc(top.Links, func(l spantree.Link) bool { return l.TraceID == o.first.TraceID && l.SpanID == o.first.SpanID }) {
		s.Errorf("Head %s: the root of the second change has the links %v, want %v", o.name, top.Links, o.first)
	}
	if !o.superseded(s) {
		return
	}
	if first := o.trace(s); first.Len() != 1 || root(s.T, first).SpanID != o.first.SpanID {
		s.Errorf("Head %s: the trace of the change that was overtaken has more than its admission:\n%s", o.name, first.Forest())
	}
	linked := slices.ContainsFunc(o.final.Spans(), func(span spantree.Span) bool {
		return span.Name == "reconcile Head" && slices.ContainsFunc(span.Links, func(l spantree.Link) bool {
			return l.TraceID == o.first.TraceID && l.SpanID == o.first.SpanID
		})
	})
	if !linked {
		s.Errorf("Head %s: no reconcile is linked to the change that was overtaken, %v:\n%s", o.name, o.first, o.final.Forest())
	}
}
