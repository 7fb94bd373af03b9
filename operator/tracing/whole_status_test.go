package tracing

import (
	"context"
	"errors"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// thing returns an object of a custom kind without a Go type.
func thing() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.com/v1", "kind": "Thing", "spec": map[string]any{"size": int64(1)},
		"metadata": map[string]any{"namespace": "ns", "name": "thing", "uid": "uid", "generation": int64(1)},
	}}
}

func makeReady(u *unstructured.Unstructured) {
	u.Object["status"] = map[string]any{"conditions": []any{
		map[string]any{"type": "Ready", "status": "True", "reason": "Tested", "lastTransitionTime": time.Now().UTC().Format(time.RFC3339)},
	}}
}

// TestStatusOfTheWholeObject: a kind without the status subresource writes its status with the rest
// of the object. For other kinds the API server ignores that part of a write, so it must not be
// recorded.
func TestStatusOfTheWholeObject(t *testing.T) {
	for name, write := range map[string]func(context.Context, client.Client, *unstructured.Unstructured) error{
		"update Thing": func(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
			makeReady(u)
			return c.Update(ctx, u)
		},
		"patch Thing": func(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
			before := u.DeepCopy()
			makeReady(u)
			return c.Patch(ctx, u, client.MergeFrom(before))
		},
	} {
		for _, subresource := range []bool{false, true} {
			builder := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme)
			if subresource {
				builder = builder.WithStatusSubresource(thing())
			}
			server := interceptor.NewClient(builder.WithObjects(thing(), deployment("owner", carries(sampledContext(1), 0))).Build(), interceptor.Funcs{
				Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
					err := c.Patch(ctx, obj, patch, opts...)
					if !subresource {
						obj.SetGeneration(2) // only a kind without the status subresource counts this change
					}
					return err
				},
			})
			spans, err := recordReconcile(t, server, []Option{WithConverge(thing())}, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
				u := thing()
				if err := c.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
					return err
				}
				return write(ctx, c, u)
			})
			if err != nil {
				t.Fatal(err)
			}
			s := spanNamed(t, spans, name)
			told := len(s.Events) == 1 && s.Events[0].Name == "Ready: Unknown→True"
			if converged := len(spans) == 3; told == subresource || converged == subresource {
				t.Errorf("%s, with the sub-resource: %t: events %v, spans %v", name, subresource, s.Events, spanNames(spans))
			}
		}
	}
}

// TestStatusBySomebodyElse: if the API server keeps the status, a status change by another writer
// is not recorded for this write.
func TestStatusBySomebodyElse(t *testing.T) {
	server := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithStatusSubresource(thing()).
		WithObjects(thing(), deployment("owner", carries(sampledContext(1), 0))).Build()
	spans, err := recordReconcile(t, server, []Option{WithConverge(thing())}, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		u, theirs := thing(), thing()
		if err := errors.Join(c.Get(ctx, client.ObjectKeyFromObject(u), u), server.Get(ctx, client.ObjectKeyFromObject(u), theirs)); err != nil {
			return err
		}
		makeReady(theirs)
		if err := server.Status().Update(ctx, theirs); err != nil {
			return err
		}
		return c.Patch(ctx, u, client.RawPatch(types.MergePatchType, []byte(`{"status":{"conditions":[{"type":"Ready","status":"False"}]}}`)))
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := spanNamed(t, spans, "patch Thing"); len(s.Events) != 0 || len(spans) != 2 {
		t.Errorf("events %v, spans %v", s.Events, spanNames(spans))
	}
}

// TestStatusAfterMetadataAlone: a reconcile that read only metadata does not know the old status,
// and records no change of it.
func TestStatusAfterMetadataAlone(t *testing.T) {
	ready := thing()
	makeReady(ready)
	for name, write := range map[string]func(context.Context, client.Client, client.Patch) error{
		"patch Thing": func(ctx context.Context, c client.Client, p client.Patch) error {
			return c.Patch(ctx, thing(), p)
		},
		"update_status Thing": func(ctx context.Context, c client.Client, p client.Patch) error {
			return c.Status().Patch(ctx, thing(), p)
		},
	} {
		builder := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme)
		if name != "patch Thing" {
			builder = builder.WithStatusSubresource(thing())
		}
		server := builder.WithObjects(ready.DeepCopy(), deployment("owner", carries(sampledContext(1), 0))).Build()
		spans, err := recordReconcile(t, server, []Option{WithConverge(thing())}, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
			partial := &metav1.PartialObjectMetadata{}
			partial.SetGroupVersionKind(thing().GroupVersionKind())
			if err := c.Get(ctx, client.ObjectKeyFromObject(thing()), partial); err != nil {
				return err
			}
			return write(ctx, c, client.RawPatch(types.MergePatchType, []byte(`{"status":{"phase":"new","conditions":[{"type":"Ready","status":"True","observedGeneration":1}]}}`)))
		})
		if err != nil {
			t.Fatal(err)
		}
		if s := spanNamed(t, spans, name); len(s.Events) != 0 || len(spans) != 2 {
			t.Errorf("%s: events %v, spans %v", name, s.Events, spanNames(spans))
		}
	}
}
