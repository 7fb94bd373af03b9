package tracing

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// writeReady patches the status, as a deferred status patch does.
func writeReady(ctx context.Context, c client.Client, owner *appsv1.Deployment, status corev1.ConditionStatus) error {
	before := owner.DeepCopy()
	setReady(owner, status, time.Now().Truncate(time.Second))
	return c.Status().Patch(ctx, owner, client.MergeFrom(before))
}

func TestConverge(t *testing.T) {
	sc := sampledContext(1)
	ready := func(d *appsv1.Deployment) { setReady(d, corev1.ConditionTrue, time.Now()) }
	notReady := func(d *appsv1.Deployment) { setReady(d, corev1.ConditionFalse, time.Now()) }
	changed := func(d *appsv1.Deployment) { d.Generation++ }
	kinds := []Option{WithConverge(&appsv1.Deployment{})}
	becomesReady := func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		return writeReady(ctx, c, d, corev1.ConditionTrue)
	}
	for name, tc := range map[string]struct {
		owner *appsv1.Deployment
		opts  []Option
		write func(context.Context, client.Client, *appsv1.Deployment) error
		want  int
	}{
		"becomes ready":        {deployment("owner", carries(sc, time.Minute), notReady), kinds, becomesReady, 1},
		"however long it took": {deployment("owner", carries(sc, 48*time.Hour), notReady), kinds, becomesReady, 1},
		"had no status":        {deployment("owner", carries(sc, time.Minute)), kinds, becomesReady, 1},
		"ready again, changed": {deployment("owner", ready, changed, carries(sc, time.Minute)), kinds, becomesReady, 1},
		"another kind":         {deployment("owner", carries(sc, time.Minute)), []Option{WithConverge(&corev1.Pod{})}, becomesReady, 0},
		"no kind":              {deployment("owner", carries(sc, time.Minute)), nil, becomesReady, 0},
		"is ready and stays so": {deployment("owner", carries(sc, time.Minute), ready), kinds, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			before := d.DeepCopy()
			d.Status.Replicas = 7
			return c.Status().Patch(ctx, d, client.MergeFrom(before))
		}, 0},
		"is not ready": {deployment("owner", carries(sc, time.Minute)), kinds, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			return writeReady(ctx, c, d, corev1.ConditionFalse)
		}, 0},
		"ready, of an older generation": {deployment("owner", carries(sc, time.Minute)), kinds, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			before := d.DeepCopy()
			ready(d)
			d.Status.ObservedGeneration = 0
			d.Status.ObservedGeneration--
			return c.Status().Patch(ctx, d, client.MergeFrom(before))
		}, 0},
		"twice": {deployment("owner", carries(sc, time.Minute)), kinds, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			return errors.Join(
				writeReady(ctx, c, d, corev1.ConditionTrue),
				writeReady(ctx, c, d, corev1.ConditionFalse),
				writeReady(ctx, c, d, corev1.ConditionTrue),
			)
		}, 1},
		"by update": {deployment("owner", carries(sc, time.Minute)), kinds, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			ready(d)
			return c.Status().Update(ctx, d)
		}, 1},
		"refused": {deployment("owner", carries(sc, time.Minute)), kinds, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			ready(d)
			d.ResourceVersion = "1"
			if err := c.Status().Update(ctx, d); err == nil {
				return errors.New("the server accepted a write of an old version")
			}
			return nil
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			spans, err := recordReconcile(t, newFakeServer(t, tc.owner), tc.opts, tc.write)
			if err != nil {
				t.Fatal(err)
			}
			var got []tracingtest.Span
			for _, s := range spans {
				if s.Name == "converge Deployment" {
					got = append(got, s)
				}
			}
			if len(got) != tc.want {
				t.Fatalf("%d converge spans among %v, want %d", len(got), spanNames(spans), tc.want)
			}
			if tc.want == 0 {
				return
			}
			stored, _ := newConfig(nil).extractFrom(tc.owner.Annotations)
			isChildOf(t, got[0], sc)
			if got[0].Kind != trace.SpanKindInternal || !got[0].Start.Equal(stored.origin.start) || !got[0].End.After(got[0].Start) {
				t.Errorf("%v from %v to %v, want internal from %v", got[0].Kind, got[0].Start, got[0].End, stored.origin.start)
			}
		})
	}
}

// TestConvergeWithoutContext: without a webhook the span is a root in the generation's trace. It
// starts when this process first read the generation.
func TestConvergeWithoutContext(t *testing.T) {
	owner := deployment("owner")
	began := time.Now()
	spans, err := recordReconcile(t, newFakeServer(t, owner), []Option{WithConverge(owner)}, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		return writeReady(ctx, c, d, corev1.ConditionTrue)
	})
	if err != nil {
		t.Fatal(err)
	}
	s := spanNamed(t, spans, "converge Deployment")
	if want := generationTrace(owner.UID, 1).TraceID(); s.Context.TraceID() != want || s.Parent.SpanID().IsValid() {
		t.Errorf("trace %s, parent %v, want a root in %s", s.Context.TraceID(), s.Parent, want)
	}
	if s.Start.Before(began) {
		t.Errorf("start %v, want none before the first read", s.Start)
	}
}

func TestConditionEvents(t *testing.T) {
	spans, err := recordReconcile(t, newFakeServer(t, deployment("owner")), nil, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		return errors.Join(
			writeReady(ctx, c, d, corev1.ConditionFalse),
			writeReady(ctx, c, d, corev1.ConditionTrue),
			writeReady(ctx, c, d, corev1.ConditionTrue),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for _, s := range spans {
		for _, e := range s.Events {
			events = append(events, s.Name+" "+e.Name)
			if len(e.Attributes) != 1 || e.Attributes[0].Value.AsString() != "Tested" {
				t.Errorf("attributes %v, want the reason", e.Attributes)
			}
		}
	}
	want := []string{"update_status Deployment Ready: Unknown→False", "update_status Deployment Ready: False→True"}
	if len(events) != 2 || events[0] != want[0] || events[1] != want[1] {
		t.Errorf("events %q, want %q", events, want)
	}
}
