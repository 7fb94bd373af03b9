package tracing

import (
	"context"
	"maps"
	"testing"

	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

type writeCase struct {
	read   bool // whether the reconcile reads the child first
	write  func(context.Context, client.Client, *appsv1.Deployment) error
	inject bool
	span   string
}

func TestWritesInjectOnlyChanges(t *testing.T) {
	scale := func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(7)) }
	label := func(d *appsv1.Deployment) { d.Labels = map[string]string{"new": "label"} }
	strip := func(d *appsv1.Deployment) { d.Annotations = nil }
	undefaulted := func(d *appsv1.Deployment) { d.Spec.Replicas = nil }
	update := func(edit ...func(*appsv1.Deployment)) func(context.Context, client.Client, *appsv1.Deployment) error {
		return func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			for _, f := range edit {
				f(d)
			}
			return c.Update(ctx, d)
		}
	}
	patch := func(from func(client.Object) client.Patch, edit ...func(*appsv1.Deployment)) func(context.Context, client.Client, *appsv1.Deployment) error {
		return func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			p := from(d.DeepCopy())
			for _, f := range edit {
				f(d)
			}
			return c.Patch(ctx, d, p)
		}
	}
	strategic := func(o client.Object) client.Patch { return client.StrategicMergeFrom(o) }
	whole := func(client.Object) client.Patch { return client.Merge }
	raw := func(t types.PatchType, data string) func(client.Object) client.Patch {
		return func(client.Object) client.Patch { return client.RawPatch(t, []byte(data)) }
	}
	for name, tc := range map[string]writeCase{
		"update of the spec":                     {true, update(scale), true, "update Deployment"},
		"update of a label":                      {true, update(label), false, "update Deployment"},
		"update that drops the annotations":      {true, update(label, strip), false, "update Deployment"},
		"update of the spec, built anew":         {true, update(scale, strip), true, "update Deployment"},
		"update without defaulted fields":        {true, update(undefaulted), false, "update Deployment"},
		"update of what was not read":            {false, update(scale), false, "update Deployment"},
		"merge patch of the spec":                {true, patch(client.MergeFrom, scale), true, "patch Deployment"},
		"merge patch of the spec, not read":      {false, patch(client.MergeFrom, scale), true, "patch Deployment"},
		"merge patch of the spec and all gone":   {true, patch(client.MergeFrom, scale, strip), true, "patch Deployment"},
		"merge patch of a label":                 {true, patch(client.MergeFrom, label), false, "patch Deployment"},
		"merge patch that drops the annotations": {true, patch(client.MergeFrom, label, strip), false, "patch Deployment"},
		"strategic merge patch of the spec":      {true, patch(strategic, scale), true, "patch Deployment"},
		"strategic merge patch of a label":       {true, patch(strategic, label), false, "patch Deployment"},
		"the whole object, unchanged":            {true, patch(whole), false, "patch Deployment"},
		"the whole object, unchanged, not read":  {false, patch(whole), false, "patch Deployment"},
		"the whole object, changed":              {true, patch(whole, scale), true, "patch Deployment"},
		"raw patch to what is there already":     {true, patch(raw(types.MergePatchType, `{"spec":{"replicas":3}}`)), false, "patch Deployment"},
		"JSON patch": {
			true, patch(raw(types.JSONPatchType, `[{"op":"replace","path":"/spec/replicas","value":7}]`)), false, "patch Deployment",
		},
	} {
		t.Run(name, func(t *testing.T) { testWrite(t, tc) })
	}
}

func testWrite(t *testing.T, tc writeCase) {
	t.Helper()
	last := sampledContext(9)
	child := deployment("child", carries(last, 0), func(d *appsv1.Deployment) { d.Annotations["theirs"] = "x" })
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)), child)
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		var d appsv1.Deployment
		var reader client.Reader = server
		if tc.read {
			reader = c
		}
		if err := reader.Get(ctx, client.ObjectKeyFromObject(child), &d); err != nil {
			return err
		}
		return tc.write(ctx, c, &d)
	})
	if err != nil {
		t.Fatal(err)
	}
	var stored appsv1.Deployment
	if err := server.Get(t.Context(), client.ObjectKeyFromObject(child), &stored); err != nil {
		t.Fatal(err)
	}
	s := spanNamed(t, spans, tc.span)
	got, _ := newConfig(nil).extractFrom(stored.Annotations)
	want, kind := last.SpanID(), trace.SpanKindClient
	if tc.inject {
		want, kind = s.Context.SpanID(), trace.SpanKindProducer
	}
	if got.sc.SpanID() != want || s.Kind != kind {
		t.Errorf("the object carries %s and the span is a %v, want %s and %v", got.sc.SpanID(), s.Kind, want, kind)
	}
	if !got.belongsTo(stored.Generation) && tc.inject {
		t.Errorf("the context was written for generation %d, the object has %d", got.origin.generation+1, stored.Generation)
	}
	if linked := len(s.Links) == 1 && s.Links[0].SpanContext.SpanID() == last.SpanID(); linked != (tc.inject && tc.read) {
		t.Errorf("links %v, want the superseded context linked: %t", s.Links, tc.inject && tc.read)
	}
}

func TestApply(t *testing.T) {
	config := func(replicas int32) *appsv1ac.DeploymentApplyConfiguration {
		return appsv1ac.Deployment("child", "ns").WithSpec(appsv1ac.DeploymentSpec().WithReplicas(replicas))
	}
	last, owner := sampledContext(9), sampledContext(1)
	for name, tc := range map[string]struct {
		exists, read bool
		replicas     int32
		opts         []client.ApplyOption
		want         func(written trace.SpanContext) trace.SpanID
		kind         trace.SpanKind
	}{
		"creates":                {false, true, 5, nil, trace.SpanContext.SpanID, trace.SpanKindProducer},
		"changes":                {true, true, 5, []client.ApplyOption{client.ForceOwnership}, trace.SpanContext.SpanID, trace.SpanKindProducer},
		"changes without force":  {true, true, 5, nil, func(trace.SpanContext) trace.SpanID { return last.SpanID() }, trace.SpanKindClient},
		"changes nothing":        {true, true, 3, []client.ApplyOption{client.ForceOwnership}, func(trace.SpanContext) trace.SpanID { return last.SpanID() }, trace.SpanKindClient},
		"cannot judge":           {true, false, 5, []client.ApplyOption{client.ForceOwnership}, func(trace.SpanContext) trace.SpanID { return owner.SpanID() }, trace.SpanKindClient},
		"cannot judge, no force": {true, false, 5, nil, func(trace.SpanContext) trace.SpanID { return trace.SpanID{} }, trace.SpanKindClient},
	} {
		t.Run(name, func(t *testing.T) {
			objs := []client.Object{deployment("owner", carries(owner, 0))}
			if tc.exists {
				objs = append(objs, deployment("child", carries(last, 0)))
			}
			var sent map[string]string
			server := interceptor.NewClient(newFakeServer(t, objs...), interceptor.Funcs{
				Apply: func(_ context.Context, _ client.WithWatch, obj runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
					sent = maps.Clone(obj.(*appsv1ac.DeploymentApplyConfiguration).Annotations)
					return nil
				},
			})
			spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
				if tc.read {
					err := c.Get(ctx, types.NamespacedName{Namespace: "ns", Name: "child"}, &appsv1.Deployment{})
					if client.IgnoreNotFound(err) != nil {
						return err
					}
				}
				return c.Apply(ctx, config(tc.replicas), append(tc.opts, client.FieldOwner("test"))...)
			})
			if err != nil {
				t.Fatal(err)
			}
			s := spanNamed(t, spans, "apply Deployment")
			got, _ := newConfig(nil).extractFrom(sent)
			if want := tc.want(s.Context); got.sc.SpanID() != want || s.Kind != tc.kind {
				t.Errorf("sent %s in a %v span, want %s and %v", got.sc.SpanID(), s.Kind, want, tc.kind)
			}
		})
	}
}
