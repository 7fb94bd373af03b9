package tracing

import (
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

const ours, theirs = "example.com/ours", "example.com/theirs"

// TestFinalizers: a write that only changes finalizers is named after that, for every kind of
// write.
func TestFinalizers(t *testing.T) {
	type change = func(*appsv1.Deployment)
	add := func(d *appsv1.Deployment) { controllerutil.AddFinalizer(d, ours) }
	remove := func(d *appsv1.Deployment) { controllerutil.RemoveFinalizer(d, theirs) }
	scale := func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(7)) }
	both := func(changes ...change) change {
		return func(d *appsv1.Deployment) {
			for _, f := range changes {
				f(d)
			}
		}
	}
	type do = func(context.Context, client.Client, *appsv1.Deployment) error
	update := func(f change) do {
		return func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			f(d)
			return c.Update(ctx, d)
		}
	}
	merge := func(f change) do {
		return func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			before := d.DeepCopy()
			f(d)
			return c.Patch(ctx, d, client.MergeFrom(before))
		}
	}
	strategic := func(f change) do {
		return func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			before := d.DeepCopy()
			f(d)
			return c.Patch(ctx, d, client.StrategicMergeFrom(before))
		}
	}
	jsonPatch := func(text string) do {
		return func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			return c.Patch(ctx, d, client.RawPatch(types.JSONPatchType, []byte(text)))
		}
	}
	for name, tc := range map[string]struct {
		do             do
		span           string
		added, removed []string
	}{
		"update adds":               {update(add), "add_finalizer Deployment", []string{ours}, nil},
		"update removes":            {update(remove), "remove_finalizer Deployment", nil, []string{theirs}},
		"update does both":          {update(both(add, remove)), "remove_finalizer Deployment", []string{ours}, []string{theirs}},
		"update of the spec, too":   {update(both(add, scale)), "update Deployment", []string{ours}, nil},
		"update of something else":  {update(scale), "update Deployment", nil, nil},
		"merge patch adds":          {merge(add), "add_finalizer Deployment", []string{ours}, nil},
		"merge patch removes":       {merge(remove), "remove_finalizer Deployment", nil, []string{theirs}},
		"strategic merge adds":      {strategic(add), "add_finalizer Deployment", []string{ours}, nil},
		"strategic merge removes":   {strategic(remove), "remove_finalizer Deployment", nil, []string{theirs}},
		"JSON patch adds":           {jsonPatch(`[{"op":"add","path":"/metadata/finalizers/-","value":"example.com/ours"}]`), "add_finalizer Deployment", []string{ours}, nil},
		"JSON patch removes one":    {jsonPatch(`[{"op":"remove","path":"/metadata/finalizers/0"}]`), "remove_finalizer Deployment", nil, []string{theirs}},
		"JSON patch renames":        {jsonPatch(`[{"op":"add","path":"/metadata/finalizers/0","value":"example.com/ours"},{"op":"remove","path":"/metadata/finalizers/1"}]`), "remove_finalizer Deployment", []string{ours}, []string{theirs}},
		"JSON patch replaces one":   {jsonPatch(`[{"op":"replace","path":"/metadata/finalizers/0","value":"example.com/ours"}]`), "remove_finalizer Deployment", []string{ours}, []string{theirs}},
		"JSON patch tests":          {jsonPatch(`[{"op":"test","path":"/metadata/finalizers/0","value":"example.com/theirs"}]`), "patch Deployment", nil, nil},
		"JSON patch removes all":    {jsonPatch(`[{"op":"remove","path":"/metadata/finalizers"}]`), "remove_finalizer Deployment", nil, []string{theirs}},
		"JSON patch replaces":       {jsonPatch(`[{"op":"replace","path":"/metadata/finalizers","value":["example.com/ours"]}]`), "remove_finalizer Deployment", []string{ours}, []string{theirs}},
		"JSON patch of another key": {jsonPatch(`[{"op":"add","path":"/metadata/labels","value":{}}]`), "patch Deployment", nil, nil},
		"apply adds": {func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
			return c.Apply(ctx, appsv1ac.Deployment("owner", "ns").WithFinalizers(ours), client.FieldOwner("test"), client.ForceOwnership)
		}, "add_finalizer Deployment", []string{ours}, nil},
		"update of what was not read": {func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			return client.IgnoreNotFound(c.Update(ctx, deployment("unread", add)))
		}, "update Deployment", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			owner := deployment("owner", carries(sampledContext(1), 0), func(d *appsv1.Deployment) { d.Finalizers = []string{theirs} })
			server := newFakeServer(t, owner)
			spans, err := recordReconcile(t, server, nil, tc.do)
			if err != nil {
				t.Fatal(err)
			}
			s := spanNamed(t, spans, tc.span)
			for key, want := range map[attribute.Key][]string{FinalizersAddedKey: tc.added, FinalizersRemovedKey: tc.removed} {
				if got, _ := s.Attribute(key); !slices.Equal(got.AsStringSlice(), want) {
					t.Errorf("%s is %v, want %v", key, got.AsStringSlice(), want)
				}
			}
			var stored appsv1.Deployment
			if err := server.Get(t.Context(), client.ObjectKeyFromObject(owner), &stored); err != nil {
				t.Fatal(err)
			}
			want := append(without([]string{theirs}, tc.removed), tc.added...)
			if !slices.Equal(stored.Finalizers, want) {
				t.Errorf("the stored finalizers are %v, want %v", stored.Finalizers, want)
			}
		})
	}
}

// TestFinalizersOfUnreadObjects: if the reconcile did not read the object, the added finalizers are
// unknown.
func TestFinalizersOfUnreadObjects(t *testing.T) {
	server := newFakeServer(t, deployment("owner"), deployment("other", func(d *appsv1.Deployment) { d.Finalizers = []string{ours} }))
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		ac := appsv1ac.Deployment("other", "ns").WithFinalizers(ours).WithLabels(map[string]string{"a": "b"})
		return c.Apply(ctx, ac, client.FieldOwner("test"), client.ForceOwnership)
	})
	if err != nil {
		t.Fatal(err)
	}
	if added, ok := spanNamed(t, spans, "apply Deployment").Attribute(FinalizersAddedKey); ok {
		t.Errorf("finalizers added %v, want no attribute", added.AsStringSlice())
	}
}

// TestLastFinalizerOfADeletedObject: the API server deletes the object, and returns the version
// before.
func TestLastFinalizerOfADeletedObject(t *testing.T) {
	owner := deployment("owner", func(d *appsv1.Deployment) { d.Finalizers = []string{ours} })
	server := interceptor.NewClient(newFakeServer(t, owner), interceptor.Funcs{
		Patch: func(_ context.Context, _ client.WithWatch, obj client.Object, _ client.Patch, _ ...client.PatchOption) error {
			obj.SetFinalizers(nil)
			return nil
		},
	})
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		before := d.DeepCopy()
		controllerutil.RemoveFinalizer(d, ours)
		return c.Patch(ctx, d, client.MergeFrom(before))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, known := spanNamed(t, spans, "remove_finalizer Deployment").Attribute(WriteVersionKey); known {
		t.Error("the removal of the last finalizer has the resourceVersion that the object had before")
	}
	if _, unchanged := spanNamed(t, spans, "remove_finalizer Deployment").Attribute(WriteUnchangedKey); unchanged {
		t.Error("the removal of the last finalizer counts as unchanged")
	}
}
