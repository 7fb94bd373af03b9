package tracing

import (
	"context"
	"errors"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// wantTree is the sample operator's tree, with Deployments instead of Head and ChildA.
const wantTree = `
admit Deployment [SERVER operator.object.name=owner]
  reconcile Deployment [CONSUMER operator.object.name=owner]
    create Deployment [PRODUCER operator.object.name=child]
      reconcile Deployment [CONSUMER operator.object.name=child]
        create ConfigMap [PRODUCER operator.object.name=child]
      reconcile Deployment [CONSUMER operator.object.name=child]
        update_status Deployment [CLIENT operator.object.name=child]
  reconcile Deployment [CONSUMER operator.object.name=owner]
    update_status Deployment [CLIENT operator.object.name=owner]
  converge Deployment [INTERNAL operator.object.name=owner]
`

// TestTree runs the steps of the sample, as a cluster would, and compares the tree.
func TestTree(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	opts := []Option{WithTracerProvider(tp), WithConverge(&appsv1.Deployment{})}
	server := newFakeServer(t)
	c := WrapClient(server, opts[0])
	converging := WrapClient(server, opts...)
	step := func(name string, c client.Client, f func(context.Context, *appsv1.Deployment) error) {
		t.Helper()
		r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			var d appsv1.Deployment
			if err := c.Get(ctx, req.NamespacedName, &d); err != nil {
				return reconcile.Result{}, err
			}
			return reconcile.Result{}, f(ctx, &d)
		}), opts...)
		if _, err := r.Reconcile(t.Context(), requestFor(deployment(name))); err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(context.Context, *appsv1.Deployment) error { return nil }

	owner := submitted()
	ctx := admission.NewContextWithRequest(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Create, Kind: metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
	}})
	if err := errors.Join(WrapDefaulter[*appsv1.Deployment](nil, opts...).Default(ctx, owner), server.Create(t.Context(), owner)); err != nil {
		t.Fatal(err)
	}
	step("owner", converging, func(ctx context.Context, _ *appsv1.Deployment) error { return c.Create(ctx, deployment("child")) })
	step("child", c, func(ctx context.Context, _ *appsv1.Deployment) error { return c.Create(ctx, configMap("child")) })
	step("owner", converging, nothing)
	step("child", c, func(ctx context.Context, d *appsv1.Deployment) error {
		return writeReady(ctx, c, d, corev1.ConditionTrue)
	})
	step("owner", converging, func(ctx context.Context, d *appsv1.Deployment) error {
		return writeReady(ctx, converging, d, corev1.ConditionTrue)
	})
	step("owner", converging, nothing)

	want, err := spantree.Parse("tree", wantTree)
	if err != nil {
		t.Fatal(err)
	}
	if result := spantree.Match(want, spantree.Build(tp.Spantree("demo"))); !result.OK() {
		t.Error(result.Explain())
	}
	for _, s := range tp.Spans() {
		for _, l := range s.Links {
			if l.SpanContext.TraceID() == s.Context.TraceID() {
				t.Errorf("%s has a link to its own trace", s.Name)
			}
		}
	}
}
