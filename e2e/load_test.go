package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

const (
	// loadSize is the number of Heads on a simulated node, and realLoadSize the number on a real
	// one: each has a Pod there, and two processors need about two seconds for its start.
	loadSize     = 200
	realLoadSize = 40
	// loadLimit is generous, because the times are measured but not judged.
	loadLimit = 5 * time.Minute
	// loadCalls is the number of parallel requests of the test.
	loadCalls = 16
)

func TestLoad(t *testing.T) {
	var c load
	newFeature("many Heads at once have a trace each", needPods).
		assess("they are created", func(ctx context.Context, s *step) {
			s.Empty(ctx)
			lines, err := s.ExportFailures(ctx)
			if err != nil {
				s.Fatal(err)
			}
			c.failures = len(lines)
			if err := c.create(ctx, s); err != nil {
				s.Fatal(err)
			}
		}).
		assess("each becomes ready, and its trace the expected tree", func(ctx context.Context, s *step) {
			err := harness.Eventually(ctx, loadLimit, "all Heads and their traces", func(ctx context.Context) error { return c.look(ctx, s) })
			c.report(s)
			if err != nil {
				s.Fatal(err)
			}
		}).
		assess("each trace is its own Head's, and nothing was lost or came late", func(ctx context.Context, s *step) {
			for _, m := range c.members {
				trace, err := s.WaitTrace(ctx, m.head, "create.tree")
				if err != nil {
					s.Fatal(err)
				}
				m.check(s.T, trace)
			}
			lines, err := s.ExportFailures(ctx)
			if err != nil {
				s.Fatal(err)
			}
			if len(lines) > c.failures {
				s.Errorf("spans were lost: %q", lines[c.failures:])
			}
		}).
		assess("there is no other trace about them", func(ctx context.Context, s *step) {
			traces, err := s.Jaeger.FindTraces(ctx, tracetree.Query{
				Service: harness.Service, Tags: map[string]string{"k8s.namespace.name": s.Namespace}, Limit: 2 * len(c.members),
			})
			if err != nil {
				s.Fatal(err)
			}
			own := map[string]bool{}
			for _, m := range c.members {
				own[m.traceID] = true
			}
			if len(own) != len(c.members) || len(traces) != len(c.members) {
				s.Errorf("the Heads name %d traces and Jaeger has %d, want %d", len(own), len(traces), len(c.members))
			}
			for _, trace := range traces {
				if !own[trace.ID] {
					s.Errorf("trace %s has no Head:\n%s", trace.ID, trace.Forest())
				}
			}
		}).run(t)
}

// load is a set of Heads that were created at once.
type load struct {
	members  []*member
	failures int // The number of lines in the operator's log before the creation.
}

// member is a Head of a load.
type member struct {
	head    *v1alpha1.Head
	traceID string
	created time.Time
	// ready and complete are the times at which the test first saw that state.
	ready, complete time.Time
	tree            *spantree.Tree
}

func (c *load) create(ctx context.Context, s *step) error {
	size := loadSize
	if s.RunsContainers() {
		size = realLoadSize
	}
	c.members = make([]*member, size)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(loadCalls)
	for i := range c.members {
		group.Go(func() (err error) {
			m := &member{created: time.Now()}
			c.members[i] = m
			if m.head, err = s.CreateHead(ctx, fmt.Sprintf("head-%d", i), nil); err != nil {
				return err
			}
			if m.traceID, _, err = tracetree.TraceIDOf(m.head.Annotations); err != nil {
				return fmt.Errorf("finding the trace of Head %s: %w", m.head.Name, err)
			}
			m.tree, err = harness.Golden("create.tree", map[string]string{"NAMESPACE": s.Namespace, "HEAD": m.head.Name})
			return err
		})
	}
	return group.Wait()
}

// look records the Heads that are ready and the traces that are complete. The error counts the
// others.
func (c *load) look(ctx context.Context, s *step) error {
	heads := &v1alpha1.HeadList{}
	if err := s.Client.List(ctx, heads, client.InNamespace(s.Namespace)); err != nil {
		return err
	}
	ready := map[string]bool{}
	for i := range heads.Items {
		ready[heads.Items[i].Name], _ = harness.HeadReady(&heads.Items[i])
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(loadCalls)
	for _, m := range c.members {
		if m.ready.IsZero() && ready[m.head.Name] {
			m.ready = time.Now()
		}
		if !m.ready.IsZero() && m.complete.IsZero() {
			group.Go(func() error { return m.look(ctx, s.Jaeger) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	notReady, incomplete := 0, 0
	for _, m := range c.members {
		switch {
		case m.ready.IsZero():
			notReady++
		case m.complete.IsZero():
			incomplete++
		}
	}
	if notReady+incomplete > 0 {
		return fmt.Errorf("%d Heads are not ready, %d more have no complete trace", notReady, incomplete)
	}
	return nil
}

// look records whether the trace matches the expected tree.
func (m *member) look(ctx context.Context, from *jaeger.Client) error {
	trace, err := from.GetTrace(ctx, m.traceID)
	if errors.Is(err, tracetree.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if forest := trace.Forest(); len(forest.Defective()) == 0 && spantree.Match(m.tree, forest).OK() {
		m.complete = time.Now()
	}
	return nil
}

// check fails the test unless each span is about the Head or its descendants.
func (m *member) check(t *testing.T, trace tracetree.Trace) {
	t.Helper()
	for _, span := range trace.Spans() {
		name, namespace := span.Attributes["operator.object.name"], span.Attributes["k8s.namespace.name"]
		if (name != m.head.Name && name != childName(m.head)) || namespace != m.head.Namespace {
			t.Errorf("the trace of Head %s has span %s about %v/%v", m.head.Name, span.Name, namespace, name)
		}
	}
}

// times are percentiles of a distribution, in seconds.
type times struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	Max   float64 `json:"max"`
}

// report logs the times and writes them to the artifacts.
func (c *load) report(s *step) {
	of := func(what func(*member) time.Time) times {
		var all []time.Duration
		for _, m := range c.members {
			if at := what(m); !at.IsZero() {
				all = append(all, at.Sub(m.created))
			}
		}
		return percentiles(all)
	}
	result := map[string]times{
		"ready":    of(func(m *member) time.Time { return m.ready }),
		"complete": of(func(m *member) time.Time { return m.complete }),
	}
	data, err := json.MarshalIndent(result, "", "  ")
	if err == nil {
		err = s.Keep("times.json", append(data, '\n'))
	}
	if err != nil {
		s.Errorf("keeping the times: %v", err)
	}
	s.Logf("seconds from creation to ready and to a complete trace: %s", data)
}

func percentiles(all []time.Duration) times {
	if len(all) == 0 {
		return times{}
	}
	slices.SortFunc(all, cmp.Compare[time.Duration])
	// The smallest time that is not below that percentage of the times.
	at := func(percent int) float64 { return all[(len(all)*percent+99)/100-1].Seconds() }
	return times{Count: len(all), P50: at(50), P95: at(95), Max: at(100)}
}
