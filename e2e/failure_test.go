package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// deploymentLimit is the maximum time until a Deployment exists.
const deploymentLimit = 30 * time.Second

func TestUnpullableImage(t *testing.T) {
	var created creation
	newFeature("a Head whose image can't be had never converges, and says why", needPods).
		assess("a Head with such an image", func(ctx context.Context, s *step) {
			head, err := s.CreateHead(ctx, "head", func(head *v1alpha1.Head) { head.Spec.ChildA = harness.Unpullable })
			if err != nil {
				s.Fatal(err)
			}
			created.head = head
		}).
		assess("its Deployment gives up soon", func(ctx context.Context, s *step) {
			// The default is ten minutes. The operator does not set the field.
			patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"progressDeadlineSeconds":1}}`))
			deployment := &appsv1.Deployment{}
			err := harness.Eventually(ctx, deploymentLimit, "the Deployment", func(ctx context.Context) error {
				if err := s.Get(ctx, childName(created.head), deployment); err != nil {
					return err
				}
				return s.Client.Patch(ctx, deployment, patch)
			})
			if err != nil {
				s.Fatal(err)
			}
		}).
		assess("its trace is the expected tree, and the Head repeats what the Deployment says", func(ctx context.Context, s *step) {
			id, _, err := tracetree.TraceIDOf(created.head.Annotations)
			if err != nil {
				s.Fatal(err)
			}
			failed := func(ctx context.Context) (tracetree.Readiness, error) {
				is, err := s.ReadyCheck(s.Namespace, created.head.Name)(ctx)
				is.Ready = !is.Ready && strings.Contains(is.State, v1alpha1.ReasonDeploymentFailed) && strings.Contains(is.State, "ProgressDeadlineExceeded")
				return is, err
			}
			if created.trace, err = s.WaitTraceID(ctx, created.head, id, "unpullable.tree", failed); err != nil {
				s.Fatal(err)
			}
		}).
		assess("the reasons of both conditions are in the trace", func(_ context.Context, s *step) {
			want := []string{
				"update_status ChildA: Ready: Unknown→False: " + v1alpha1.ReasonDeploymentProgressing,
				"update_status Head: Ready: Unknown→False: " + v1alpha1.ReasonChildNotReady,
			}
			got := conditionEvents(created.trace)
			for _, event := range want {
				if !slices.Contains(got, event) {
					s.Errorf("the events of the trace are %q, want %q among them", got, event)
				}
			}
		}).runBeside(t)
}

// conditionEvents returns the changes of conditions in a trace.
func conditionEvents(trace tracetree.Trace) []string {
	var events []string
	for _, span := range trace.Spans() {
		for _, event := range span.Events {
			if reason, ok := event.Attributes["operator.condition.reason"]; ok {
				events = append(events, fmt.Sprintf("%s: %s: %v", span.Name, event.Name, reason))
			}
		}
	}
	return events
}

func TestWebhookDown(t *testing.T) {
	var created creation
	newFeature("a Head that no webhook admitted has a trace all the same", needPods).
		assess("the webhook can't be reached", func(ctx context.Context, s *step) {
			s.Restore(ctx, 3*time.Minute, "repairing the webhook", s.RestoreWebhook)
			if err := s.BreakWebhook(ctx); err != nil {
				s.Fatal(err)
			}
		}).
		assess("a new Head gets through, without a context", func(ctx context.Context, s *step) {
			head, err := s.CreateHead(ctx, "head", nil)
			if err != nil {
				s.Fatal(err)
			}
			if value, there := head.Annotations[tracetree.TraceparentAnnotation]; there {
				s.Errorf("the Head has the trace context %q", value)
			}
			created.head = head
		}).
		assess("the trace of its first generation is the expected forest", func(ctx context.Context, s *step) {
			id := harness.GenerationTraceID(created.head, 1)
			trace, err := s.WaitTraceID(ctx, created.head, id, "unadmitted.tree", s.ReadyCheck(s.Namespace, created.head.Name))
			if err != nil {
				s.Fatal(err)
			}
			created.trace = trace
		}).
		assess("its roots are linked to nothing", func(_ context.Context, s *step) {
			for _, root := range created.trace.Forest().Roots {
				if diff := cmp.Diff([]spantree.Link(nil), root.Span.Links); diff != "" {
					s.Errorf("links of root %s (-want +got):\n%s", root.Span.Name, diff)
				}
			}
		}).run(t)
}
