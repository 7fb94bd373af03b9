package tracing

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// shard is a request of another type than reconcile.Request.
type shard struct {
	name   string
	number int
}

func TestTypedReconciler(t *testing.T) {
	sc := sampledContext(1)
	key := func(s shard) types.NamespacedName { return types.NamespacedName{Namespace: "ns", Name: s.name} }
	known := map[attribute.Key]any{
		ObjectGroupKey: "apps", ObjectVersionKey: "v1", ObjectKindKey: "Deployment", ReconcileResultKey: "success", ReconcileWriteIntentKey: "desired_state",
	}
	for name, tc := range map[string]struct {
		obj   client.Object
		key   func(shard) types.NamespacedName
		span  string
		child bool
		want  map[attribute.Key]any
	}{
		"about an object": {
			obj: &appsv1.Deployment{}, key: key, span: "reconcile Deployment", child: true,
			want: with(known, map[attribute.Key]any{
				NamespaceKey: "ns", ObjectNameKey: "owner", ObjectUIDKey: "uid-of-owner", ObjectGenerationKey: int64(1),
			}),
		},
		"about an object, by a nil pointer": {
			obj: (*appsv1.Deployment)(nil), key: key, span: "reconcile Deployment", child: true,
			want: with(known, map[attribute.Key]any{
				NamespaceKey: "ns", ObjectNameKey: "owner", ObjectUIDKey: "uid-of-owner", ObjectGenerationKey: int64(1),
			}),
		},
		"about no single object": {obj: &appsv1.Deployment{}, span: "reconcile Deployment", want: known},
		"of no certain kind": {
			key: key, span: "reconcile",
			want: map[attribute.Key]any{ReconcileResultKey: "success", ReconcileWriteIntentKey: "desired_state", NamespaceKey: "ns", ObjectNameKey: "owner"},
		},
		"of nothing": {span: "reconcile", want: map[attribute.Key]any{ReconcileResultKey: "success", ReconcileWriteIntentKey: "desired_state"}},
	} {
		t.Run(name, func(t *testing.T) {
			tp := tracingtest.NewTracerProvider()
			c := WrapClient(newFakeServer(t, deployment("owner", carries(sc, 0))), WithTracerProvider(tp))
			r := WrapTypedReconciler(tc.obj, reconcile.TypedFunc[shard](func(ctx context.Context, s shard) (reconcile.Result, error) {
				if err := c.Get(ctx, key(s), &appsv1.Deployment{}); err != nil {
					return reconcile.Result{}, err
				}
				return reconcile.Result{}, c.Create(ctx, configMap("child"))
			}), tc.key, WithTracerProvider(tp))
			if _, err := r.Reconcile(t.Context(), shard{name: "owner", number: 7}); err != nil {
				t.Fatal(err)
			}
			s := spanNamed(t, tp.Spans(), tc.span)
			hasAttributes(t, s, tc.want)
			if tc.child {
				isChildOf(t, s, sc)
			} else if s.Parent.TraceID().IsValid() || s.Context.TraceID() == sc.TraceID() {
				t.Errorf("the parent is %v, want a new trace", s.Parent)
			}
		})
	}
}

// with merges two sets of attributes.
func with(a, b map[attribute.Key]any) map[attribute.Key]any {
	out := map[attribute.Key]any{}
	for _, m := range []map[attribute.Key]any{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// TestNilReconcilerStaysNil: controller-runtime reports a nil reconciler as an error.
func TestNilReconcilerStaysNil(t *testing.T) {
	if r := WrapReconciler(&appsv1.Deployment{}, nil); r != nil {
		t.Errorf("WrapReconciler(nil) = %T, want nil", r)
	}
	if r := WrapTypedReconciler[shard](nil, nil, nil); r != nil {
		t.Errorf("WrapTypedReconciler(nil) = %T, want nil", r)
	}
	if r := WrapObjectReconciler[*appsv1.Deployment](nil); r != nil {
		t.Errorf("WrapObjectReconciler(nil) = %T, want nil", r)
	}
}
