package tracing

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestWriteIntent says what the writes of a reconcile were for.
func TestWriteIntent(t *testing.T) {
	type do = func(context.Context, client.Client, *appsv1.Deployment) error
	update := func(change func(*appsv1.Deployment)) do {
		return func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			change(d)
			return c.Update(ctx, d)
		}
	}
	merge := func(change func(*appsv1.Deployment)) do {
		return func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			before := d.DeepCopy()
			change(d)
			return c.Patch(ctx, d, client.MergeFrom(before))
		}
	}
	jsonPatch := func(text string) do {
		return func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			return c.Patch(ctx, d, client.RawPatch(types.JSONPatchType, []byte(text)))
		}
	}
	apply := func(ac *appsv1ac.DeploymentApplyConfiguration) do {
		return func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
			return c.Apply(ctx, ac, client.FieldOwner("test"), client.ForceOwnership)
		}
	}
	scale := func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(7)) }
	label := func(d *appsv1.Deployment) { d.Labels = map[string]string{"a": "b"} }
	for name, tc := range map[string]struct {
		want string
		do   do
	}{
		"none": {"none", func(context.Context, client.Client, *appsv1.Deployment) error { return nil }},
		"create": {"desired_state", func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
			return c.Create(ctx, configMap("new"))
		}},
		"update of the spec":      {"desired_state", update(scale)},
		"update of a label":       {"metadata", update(label)},
		"update of both":          {"desired_state,metadata", update(func(d *appsv1.Deployment) { scale(d); label(d) })},
		"update of nothing":       {"none", update(func(*appsv1.Deployment) {})},
		"merge patch of the spec": {"desired_state", merge(scale)},
		"merge patch of a label":  {"metadata", merge(label)},
		"merge patch to the same": {"none", func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			return c.Patch(ctx, d, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":3}}`)))
		}},
		"JSON patch of the spec":  {"desired_state", jsonPatch(`[{"op":"test","path":"/metadata/name","value":"owner"},{"op":"replace","path":"/spec/replicas","value":7}]`)},
		"JSON patch of metadata":  {"metadata", jsonPatch(`[{"op":"add","path":"/metadata/labels","value":{}}]`)},
		"apply of the spec":       {"desired_state", apply(appsv1ac.Deployment("owner", "ns").WithSpec(appsv1ac.DeploymentSpec().WithReplicas(7)))},
		"apply of the same":       {"none", apply(appsv1ac.Deployment("owner", "ns").WithSpec(appsv1ac.DeploymentSpec().WithReplicas(3)))},
		"apply of a label":        {"metadata", apply(appsv1ac.Deployment("owner", "ns").WithLabels(map[string]string{"a": "b"}))},
		"apply of what is unread": {"other", apply(appsv1ac.Deployment("unread", "ns").WithSpec(appsv1ac.DeploymentSpec().WithReplicas(3)))},
		"update of what is unread": {"other", func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
			return client.IgnoreNotFound(c.Update(ctx, deployment("unread")))
		}},
		"status": {"status", func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			return writeReady(ctx, c, d, corev1.ConditionTrue)
		}},
		"scale": {"desired_state", func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			return c.SubResource("scale").Update(ctx, d, client.WithSubResourceBody(&autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 5}}))
		}},
		"a delete, which fails, and a status": {"delete,status", func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			if err := client.IgnoreNotFound(c.Delete(ctx, configMap("gone"))); err != nil {
				return err
			}
			return writeReady(ctx, c, d, corev1.ConditionTrue)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)))
			spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
				if name == "none" { // a span, so that there is one to tell it
					ownSpan(ctx)
				}
				return tc.do(ctx, c, d)
			})
			if err != nil {
				t.Fatal(err)
			}
			got, _ := spanNamed(t, spans, "reconcile Deployment").Attribute(ReconcileWriteIntentKey)
			if got.AsString() != tc.want {
				t.Errorf("the intent is %q, want %q", got.AsString(), tc.want)
			}
		})
	}
}

func TestIntentNames(t *testing.T) {
	if got := (allIntents &^ intents(0)).String(); got != "delete,desired_state,metadata,other,status" {
		t.Errorf("all intents are %q", got)
	}
	if got := intents(0).String(); got != "none" {
		t.Errorf("no intent is %q", got)
	}
}
