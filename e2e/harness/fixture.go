package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

const (
	// ReadyLimit is the maximum time until a Head is ready.
	ReadyLimit = 2 * time.Minute
	// cleanupLimit is the timeout of the cleanup after a feature, artifacts included.
	cleanupLimit = 2 * time.Minute
	// settledTrace is the age of the last span after which a trace needs no quiet period: the quiet
	// period of a second, and the maximum time for the delivery of spans to Jaeger.
	settledTrace = 1500 * time.Millisecond
	// restoreLimit is the timeout for restoring the operator.
	restoreLimit = 3 * time.Minute
)

// Fixture is the part of the cluster that one feature uses: a namespace, which is deleted at the end of the feature, and
// the traces that the feature read. It is not safe for concurrent use.
type Fixture struct {
	*Cluster
	// Namespace is the namespace of the fixture.
	Namespace string
	// TraceLimit is the timeout of each wait for a trace. 0 means the value of the flag
	// -trace-limit (default ReadyLimit).
	TraceLimit time.Duration

	t      *testing.T
	traces map[string]seen // The traces by id.
	// applied has the times when Heads were created or changed, by name. It is safe for concurrent
	// use, because the load tests create Heads in several goroutines.
	applied sync.Map
}

// seen is a trace that the fixture read, with its expected tree and its conditions. The last two can
// be nil.
type seen struct {
	trace    tracetree.Trace
	expected *spantree.Tree
	result   *spantree.Result
}

// NewFixture creates a namespace. At the end of the test, it writes the artifacts of a failed test
// and deletes the namespace.
func (c *Cluster) NewFixture(ctx context.Context, t *testing.T) *Fixture {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-", Labels: map[string]string{fixtureLabel: "true"}}}
	if err := c.Client.Create(ctx, namespace); err != nil {
		t.Fatalf("creating a namespace for the test: %v", err)
	}
	s := &Fixture{Cluster: c, Namespace: namespace.Name, t: t, traces: map[string]seen{}}
	// t.Context is already cancelled when cleanups run.
	outlive := context.WithoutCancel(ctx)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(outlive, cleanupLimit)
		defer cancel()
		if t.Failed() {
			s.keepArtifacts(ctx)
		}
		if err := client.IgnoreNotFound(c.Client.Delete(ctx, namespace)); err != nil {
			t.Errorf("deleting namespace %s: %v", namespace.Name, err)
		}
	})
	return s
}

// Restore registers a function that restores the cluster after the fixture. It runs before the
// deletion of the namespace, with a context that is not cancelled. Its error fails the test.
func (s *Fixture) Restore(ctx context.Context, limit time.Duration, what string, do func(context.Context) error) {
	outlive := context.WithoutCancel(ctx)
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(outlive, limit)
		defer cancel()
		if err := do(ctx); err != nil {
			s.t.Errorf("%s: %v", what, err)
		}
	})
}

// ChangeOperator sets variables of the operator until the end of the fixture; see
// [Cluster.SetOperatorEnv]. It waits until the webhook answers, after the change and after the
// restoration.
func (s *Fixture) ChangeOperator(ctx context.Context, env map[string]string) error {
	set := func(ctx context.Context, env map[string]string) error {
		if err := s.SetOperatorEnv(ctx, env); err != nil {
			return err
		}
		return s.WaitAdmission(ctx)
	}
	s.Restore(ctx, restoreLimit, "restoring the operator's variables", func(ctx context.Context) error { return set(ctx, nil) })
	return set(ctx, env)
}

// CreateHead creates a Head and returns it as stored after admission.
func (s *Fixture) CreateHead(ctx context.Context, name string, change func(*v1alpha1.Head)) (*v1alpha1.Head, error) {
	head := NewHead(s.Namespace, name)
	if change != nil {
		change(head)
	}
	s.Applied(name)
	if err := s.Client.Create(ctx, head); err != nil {
		return nil, fmt.Errorf("creating Head %s/%s: %w", s.Namespace, name, err)
	}
	return head, nil
}

// Applied records the current time as the time of the creation or change of a Head. Reports about
// its trace count from that time.
func (s *Fixture) Applied(name string) { s.applied.Store(name, time.Now()) }

// WaitReady waits until a Head is ready at its generation.
func (s *Fixture) WaitReady(ctx context.Context, name string) error {
	check := s.ReadyCheck(s.Namespace, name)
	return Eventually(ctx, ReadyLimit, "Head "+name+" to be ready", func(ctx context.Context) error {
		is, err := check(ctx)
		if err == nil && !is.Ready {
			err = errors.New(is.State)
		}
		return err
	})
}

// WaitAge waits until a Head, which must be ready, has been ready for longer than age. The
// condition counts in seconds, so the wait can be a second longer.
func (s *Fixture) WaitAge(ctx context.Context, name string, age time.Duration) error {
	head := &v1alpha1.Head{}
	if err := s.Get(ctx, name, head); err != nil {
		return err
	}
	ready := meta.FindStatusCondition(head.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionTrue {
		return fmt.Errorf("waiting until Head %s is old: not ready: %+v", name, ready)
	}
	return Eventually(ctx, age+ReadyLimit, fmt.Sprintf("Head %s to be ready for %s", name, age), func(context.Context) error {
		if is := time.Since(ready.LastTransitionTime.Time); is <= age+time.Second {
			return fmt.Errorf("it is ready for %s", is)
		}
		return nil
	})
}

// WaitTrace waits until the trace in a Head's annotation is complete: it matches an expected tree,
// has all parents, is quiet, and the Head is ready.
func (s *Fixture) WaitTrace(ctx context.Context, head *v1alpha1.Head, golden string) (tracetree.Trace, error) {
	traceID, _, err := tracetree.TraceIDOf(head.Annotations)
	if err != nil {
		return tracetree.Trace{}, fmt.Errorf("finding the trace of Head %s/%s: %w", head.Namespace, head.Name, err)
	}
	return s.WaitTraceID(ctx, head, traceID, golden, s.ReadyCheck(head.Namespace, head.Name))
}

// WaitTraceID is WaitTrace for any trace about a Head, and for any required state of the Head; see
// [tracetree.Conditions]. The error about an incomplete trace is a *[triage.Report].
func (s *Fixture) WaitTraceID(ctx context.Context, head *v1alpha1.Head, traceID, golden string, settled ReadinessCheck) (tracetree.Trace, error) {
	conditions := tracetree.Conditions{Ready: settled, Settled: settledTrace, Timeout: cmp.Or(s.TraceLimit, *traceLimit)}
	if *update {
		completion, err := record(ctx, s.Jaeger, traceID, golden, headValues(head), conditions)
		s.traces[traceID] = seen{trace: completion.Trace}
		return completion.Trace, err
	}
	tree, err := Golden(golden, headValues(head))
	if err != nil {
		return tracetree.Trace{}, err
	}
	conditions.Tree = tree
	completion, err := tracetree.Complete(ctx, s.Jaeger, traceID, conditions)
	trace := completion.Trace
	kept := seen{trace: trace, expected: tree}
	if err != nil {
		kept.result = completion.Result
		err = s.explain(ctx, head, completion, err)
	}
	if trace.ID == "" {
		kept.trace.ID = traceID
	}
	s.traces[traceID] = kept
	return trace, err
}

// observedQuiet is longer than the observer's wait for Events and for the spans of operators.
const observedQuiet = 2 * time.Second

// WaitObserved waits until a trace about an object of any kind is complete, the observer's spans
// included. $HEAD in the expected tree is the object's name. more has further variables and can be
// nil.
func (s *Fixture) WaitObserved(ctx context.Context, object client.Object, traceID, golden string, more map[string]string, settled ReadinessCheck) (tracetree.Trace, error) {
	values := map[string]string{"NAMESPACE": object.GetNamespace(), "HEAD": object.GetName()}
	maps.Copy(values, more)
	conditions := tracetree.Conditions{Ready: settled, Quiet: observedQuiet, Timeout: cmp.Or(s.TraceLimit, *traceLimit)}
	if *update {
		completion, err := record(ctx, s.Observed, traceID, golden, values, conditions)
		return completion.Trace, err
	}
	var err error
	if conditions.Tree, err = Golden(golden, values); err != nil {
		return tracetree.Trace{}, err
	}
	completion, err := tracetree.Complete(ctx, s.Observed, traceID, conditions)
	s.traces[traceID] = seen{trace: completion.Trace, expected: conditions.Tree, result: completion.Result}
	return completion.Trace, err
}

// FirstSpans waits until Jaeger has a span of the trace in a Head's annotation.
func (s *Fixture) FirstSpans(ctx context.Context, head *v1alpha1.Head, limit time.Duration) (tracetree.Trace, error) {
	traceID, _, err := tracetree.TraceIDOf(head.Annotations)
	if err != nil {
		return tracetree.Trace{}, fmt.Errorf("finding the trace of Head %s/%s: %w", head.Namespace, head.Name, err)
	}
	var trace tracetree.Trace
	err = Eventually(ctx, limit, "a span of trace "+traceID, func(ctx context.Context) error {
		trace, err = s.Jaeger.GetTrace(ctx, traceID)
		return err
	})
	return trace, err
}

// Get reads an object of the fixture's namespace.
func (s *Fixture) Get(ctx context.Context, name string, obj client.Object) error {
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: name}, obj); err != nil {
		return fmt.Errorf("reading %T %s/%s: %w", obj, s.Namespace, name, err)
	}
	return nil
}
