package tracing

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestNilClient: a nil client stays nil, so that the caller fails as without tracing.
func TestNilClient(t *testing.T) {
	if got := WrapClient(nil); got != nil {
		t.Errorf("a nil client is wrapped as %v", got)
	}
	var typed *tracedClient
	if got, ok := WrapClient(typed).(*tracedClient); !ok || got != nil {
		t.Errorf("a nil pointer is wrapped as %v", got)
	}
}

// TestNilObjectsOfTheClient: nil objects reach the wrapped client, and create no span.
func TestNilObjectsOfTheClient(t *testing.T) {
	var typed *appsv1.Deployment
	var typedList *appsv1.DeploymentList
	patch := client.MergeFrom(deployment("x"))
	calls := map[string]func(context.Context, client.Client) error{
		"List":             func(ctx context.Context, c client.Client) error { return c.List(ctx, nil) },
		"List, typed":      func(ctx context.Context, c client.Client) error { return c.List(ctx, typedList) },
		"Apply":            func(ctx context.Context, c client.Client) error { return c.Apply(ctx, nil) },
		"Patch by nothing": func(ctx context.Context, c client.Client) error { return c.Patch(ctx, deployment("x"), nil) },
		"Status().Patch by nothing": func(ctx context.Context, c client.Client) error {
			return c.Status().Patch(ctx, deployment("x"), nil)
		},
	}
	for name, obj := range map[string]client.Object{"nil": nil, "typed": typed} {
		calls["Get, "+name] = func(ctx context.Context, c client.Client) error { return c.Get(ctx, client.ObjectKey{}, obj) }
		calls["Create, "+name] = func(ctx context.Context, c client.Client) error { return c.Create(ctx, obj) }
		calls["Update, "+name] = func(ctx context.Context, c client.Client) error { return c.Update(ctx, obj) }
		calls["Patch, "+name] = func(ctx context.Context, c client.Client) error { return c.Patch(ctx, obj, patch) }
		calls["Delete, "+name] = func(ctx context.Context, c client.Client) error { return c.Delete(ctx, obj) }
		calls["DeleteAllOf, "+name] = func(ctx context.Context, c client.Client) error { return c.DeleteAllOf(ctx, obj) }
		calls["Status().Create, "+name] = func(ctx context.Context, c client.Client) error { return c.Status().Create(ctx, obj, obj) }
		calls["Status().Update, "+name] = func(ctx context.Context, c client.Client) error { return c.Status().Update(ctx, obj) }
		calls["Status().Patch, "+name] = func(ctx context.Context, c client.Client) error { return c.Status().Patch(ctx, obj, patch) }
		calls["Status().Apply, "+name] = func(ctx context.Context, c client.Client) error { return c.Status().Apply(ctx, nil) }
		calls["SubResource().Get, "+name] = func(ctx context.Context, c client.Client) error {
			return c.SubResource("scale").Get(ctx, obj, obj)
		}
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			tp := tracingtest.NewTracerProvider()
			reached := 0
			c := WrapClient(counting(t, &reached), WithTracerProvider(tp), WithReads())
			if err := call(t.Context(), c); err == nil || reached != 1 {
				t.Errorf("the wrapped client was called %d times, error %v", reached, err)
			}
			if spans := tp.Spans(); len(spans) != 0 {
				t.Errorf("spans %v", spanNames(spans))
			}
		})
	}
}

// counting is a client that counts calls and returns an error for each.
func counting(t *testing.T, n *int) client.WithWatch {
	t.Helper()
	called := func() error { *n++; return fmt.Errorf("call %d", *n) }
	return interceptor.NewClient(newFakeServer(t), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return called()
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return called()
		},
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return called() },
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error { return called() },
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error { return called() },
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return called()
		},
		Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
			return called()
		},
		DeleteAllOf: func(context.Context, client.WithWatch, client.Object, ...client.DeleteAllOfOption) error {
			return called()
		},
		SubResourceGet: func(context.Context, client.Client, string, client.Object, client.Object, ...client.SubResourceGetOption) error {
			return called()
		},
		SubResourceCreate: func(context.Context, client.Client, string, client.Object, client.Object, ...client.SubResourceCreateOption) error {
			return called()
		},
		SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
			return called()
		},
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return called()
		},
		SubResourceApply: func(context.Context, client.Client, string, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
			return called()
		},
	})
}
