package e2e

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/e2e/causes"
	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

const (
	// minAccuracy is the minimum share of correct causes of an observer that has only the object
	// stream.
	minAccuracy = 0.97
	// singles is the number of Heads that are created, changed, repaired and deleted one after the
	// other. together is the number of Heads that are created at once.
	singles  = 8
	together = 50
)

// TestAccuracyOfCauses tests that an observer without the library's contexts finds the causes that
// the library records.
func TestAccuracyOfCauses(t *testing.T) {
	var a accuracy
	newFeature("the inferred causes are the recorded ones", needPods).
		assess("an observer without the library's contexts watches", a.start).
		assess("Heads are created, changed, repaired and deleted one by one", a.single).
		assess("many Heads are created at once", a.load).
		assess("its causes are the recorded ones", a.compare).run(t)
}

// accuracy has the observer's recording.
type accuracy struct{ recording *causes.Recording }

func (a *accuracy) start(ctx context.Context, s *step) {
	s.Empty(ctx)
	config, err := clientcmd.BuildConfigFromFlags("", s.Status.Kubeconfig)
	if err != nil {
		s.Fatal(err)
	}
	// The context of a step ends with the step.
	if a.recording, err = causes.Start(context.WithoutCancel(ctx), config); err != nil {
		s.Fatal(err)
	}
	s.Restore(ctx, harness.ReadyLimit, "stopping the observer", func(context.Context) error { return a.recording.Stop() })
}

func (a *accuracy) single(ctx context.Context, s *step) {
	for i := range singles {
		name := fmt.Sprintf("single-%d", i)
		for _, do := range []func(context.Context, *step, string) error{a.create, a.update, a.repair, a.delete} {
			if err := do(ctx, s, name); err != nil {
				s.Fatal(err)
			}
		}
	}
}

func (a *accuracy) create(ctx context.Context, s *step, name string) error {
	if _, err := s.CreateHead(ctx, name, nil); err != nil {
		return err
	}
	return s.WaitReady(ctx, name)
}

func (a *accuracy) update(ctx context.Context, s *step, name string) error {
	head := harness.NewHead(s.Namespace, name)
	patch := client.RawPatch(client.Merge.Type(), fmt.Appendf(nil, `{"spec": {"child_a": %q}}`, harness.OtherImage))
	if err := s.Client.Patch(ctx, head, patch); err != nil {
		return fmt.Errorf("changing Head %s: %w", name, err)
	}
	return s.WaitReady(ctx, name)
}

// repair deletes the Deployment, and waits until a new one is ready.
func (a *accuracy) repair(ctx context.Context, s *step, name string) error {
	child := childName(harness.NewHead(s.Namespace, name))
	deployment := &appsv1.Deployment{}
	if err := s.Get(ctx, child, deployment); err != nil {
		return err
	}
	if err := s.Client.Delete(ctx, deployment, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		return fmt.Errorf("deleting Deployment %s: %w", child, err)
	}
	if err := eventuallyOther(ctx, s.Fixture, child, deployment.UID, &appsv1.Deployment{}); err != nil {
		return err
	}
	return s.WaitReady(ctx, name)
}

func (a *accuracy) delete(ctx context.Context, s *step, name string) error {
	head := harness.NewHead(s.Namespace, name)
	if err := s.Client.Delete(ctx, head); err != nil {
		return fmt.Errorf("deleting Head %s: %w", name, err)
	}
	gone := s.GoneCheck(s.Namespace, name)
	return harness.Eventually(ctx, harness.ReadyLimit, "the end of Head "+name, func(ctx context.Context) error {
		is, err := gone(ctx)
		if err == nil && !is.Ready {
			err = fmt.Errorf("%s", is.State)
		}
		return err
	})
}

func (a *accuracy) load(ctx context.Context, s *step) {
	group, ctx := errgroup.WithContext(ctx)
	for i := range together {
		group.Go(func() error { return a.create(ctx, s, fmt.Sprintf("load-%d", i)) })
	}
	if err := group.Wait(); err != nil {
		s.Fatal(err)
	}
}

func (a *accuracy) compare(ctx context.Context, s *step) {
	var result causes.Result
	err := harness.Eventually(ctx, harness.ReadyLimit, "the operator's spans", func(ctx context.Context) (err error) {
		traces, err := s.Jaeger.FindTraces(ctx, tracetree.Query{
			Service: harness.Service, Tags: map[string]string{"k8s.namespace.name": s.Namespace}, Limit: 10 * (singles + together),
		})
		if err == nil {
			result, err = a.recording.Compare(s.Namespace, operatorManager, traces)
		}
		return err
	})
	if keepErr := s.Keep("causes.txt", []byte(result.String())); keepErr != nil {
		s.Error(keepErr)
	}
	s.Log(result)
	if err != nil {
		s.Fatal(err)
	}
	if result.Share() < minAccuracy {
		s.Errorf("%.1f %% of the causes are the recorded ones, want at least %.0f %%", 100*result.Share(), 100*minAccuracy)
	}
}

// operatorManager is the field manager of the operator.
const operatorManager = "operator"
