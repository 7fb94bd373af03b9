package tracing

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace/noop"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestClientWrappedTwice: a write has one span, of the first wrapper, and is one request.
func TestClientWrappedTwice(t *testing.T) {
	t.Parallel()
	first, second := tracingtest.NewTracerProvider(), tracingtest.NewTracerProvider()
	again := func(c client.Client) client.Client { return WrapClient(c, WithTracerProvider(second)) }
	for name, tc := range map[string]struct {
		wrap func(client.Client) client.Client
		want []string
	}{
		"by another provider":      {again, []string{"create Deployment", "patch Deployment"}},
		"around a field owner":     {func(c client.Client) client.Client { return again(client.WithFieldOwner(c, "o")) }, []string{"create Deployment", "patch Deployment"}},
		"around a field validator": {func(c client.Client) client.Client { return again(client.WithFieldValidation(c, "Strict")) }, []string{"create Deployment", "patch Deployment"}},
		"around a namespace":       {func(c client.Client) client.Client { return again(client.NewNamespacedClient(c, "ns")) }, []string{"create Deployment", "patch Deployment"}},
		"around a dry run":         {func(c client.Client) client.Client { return again(client.NewDryRunClient(c)) }, nil},
		"while the first is off": {func(client.Client) client.Client {
			return again(WrapClient(newFakeServer(t), WithTracerProvider(noop.NewTracerProvider())))
		}, nil},
	} {
		first.Reset()
		requests := 0
		server := interceptor.NewClient(newFakeServer(t, deployment("there")), interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
				requests++
				return c.Create(ctx, obj, opts...)
			},
		})
		c := tc.wrap(WrapClient(server, WithTracerProvider(first)))
		there := deployment("there")
		patch := client.MergeFrom(there.DeepCopy())
		there.Spec.Paused = true
		if err := c.Create(t.Context(), deployment("new")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Patch(t.Context(), there, patch); err != nil && tc.want != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tc.want, spanNames(first.Spans()), cmp.Transformer("nil", func(s []string) []string { return append([]string{}, s...) })); diff != "" || len(second.Spans()) != 0 || requests > 1 {
			t.Errorf("%s: %d creates, the second provider has %v; spans of the first (-want +got):\n%s", name, requests, spanNames(second.Spans()), diff)
		}
	}
}

// TestClientKeepsWatch: a client that can watch can still do it.
func TestClientKeepsWatch(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]Option{nil, {WithTracerProvider(tracingtest.NewTracerProvider())}} {
		c, ok := WrapClient(newFakeServer(t), opts...).(client.WithWatch)
		if !ok {
			t.Fatal("the wrapped client has no Watch")
		}
		if WrapClient(c) != client.Client(c) {
			t.Error("it is wrapped again")
		}
		w, err := c.Watch(t.Context(), &corev1.ConfigMapList{})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Create(t.Context(), configMap("new")); err != nil {
			t.Fatal(err)
		}
		if e := <-w.ResultChan(); e.Object.(*corev1.ConfigMap).Name != "new" {
			t.Errorf("event %v", e)
		}
		w.Stop()
	}
	if _, ok := WrapClient(client.WithFieldOwner(newFakeServer(t), "o")).(client.WithWatch); ok {
		t.Error("a client without Watch gets one")
	}
}

// TestDryRunClient: nothing that it writes has a span or a context, and its reads tell what is reconciled.
func TestDryRunClient(t *testing.T) {
	t.Parallel()
	inner := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)))
	for name, server := range map[string]client.Client{
		"dry run": client.NewDryRunClient(inner), "in a namespace": client.NewNamespacedClient(client.NewDryRunClient(inner), "ns"),
	} {
		var ctx context.Context
		spans, err := recordReconcile(t, server, []Option{WithCreateAnnotation()}, func(in context.Context, c client.Client, d *appsv1.Deployment) error {
			ctx = in
			obj := configMap("new")
			if err := c.Create(in, obj); err != nil || len(obj.Annotations) != 0 {
				t.Errorf("%s: error %v, annotations %v", name, err, obj.Annotations)
			}
			if err := c.Status().Update(in, d); err != nil {
				return err
			}
			if c2 := WrapClient(c); c2 != c {
				t.Errorf("%s: wrapped again as %T", name, c2)
			}
			return c.Get(in, types.NamespacedName{Namespace: "ns", Name: "absent"}, d)
		})
		if err == nil || ctx == nil || len(spans) != 1 {
			t.Fatalf("%s: error %v, spans %v", name, err, spanNames(spans))
		}
		isChildOf(t, spans[0], sampledContext(1))
	}
}

// TestEverythingTwice: a wrapped manager with explicit wrappers of everything traces as much as one of the two.
func TestEverythingTwice(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	opts := []Option{WithTracerProvider(m.tp)}
	m.server = WrapClient(m.server, opts...)
	newInnerManager(t, m)
	m.Manager = WrapManager(WrapManager(m.inner, opts...), opts...)
	q := NewQueueObserver(&appsv1.Deployment{}, opts...)
	c := WrapClient(m.GetClient(), opts...)
	wrapped := WrapReconciler(&appsv1.Deployment{}, WrapReconciler(&appsv1.Deployment{}, reconcile.AsReconciler(c, WrapObjectReconciler[*appsv1.Deployment](
		objectReconciler(func(ctx context.Context, d *appsv1.Deployment) (reconcile.Result, error) {
			cm := configMap("of-" + d.Name)
			return reconcile.Result{}, c.Create(ctx, cm)
		}), opts...)), opts...), append(opts, WithQueueObserver(q))...)
	err := builder.ControllerManagedBy(m).For(&appsv1.Deployment{}).WithEventFilter(q.Predicate()).
		Watches(&corev1.Secret{}, WrapEventHandler(q, handler.EnqueueRequestsFromMapFunc(toOwner))).
		WithOptions(q.Options(controller.Options{})).Complete(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if err := Complete(builder.ControllerManagedBy(m).For(&corev1.Service{}), &corev1.Service{}, m.creator(), opts...); err != nil {
		t.Fatal(err)
	}
	hook := WrapDefaulter(WrapDefaulter(admission.Defaulter[*appsv1.Deployment](scaler{}), opts...), opts...)
	if err := builder.WebhookManagedBy(m, &appsv1.Deployment{}).WithDefaulter(hook).WithContextFunc(WebhookContext(opts...)).Complete(); err != nil {
		t.Fatal(err)
	}
	m.start(t, 3)
	for i, obj := range []client.Object{deployment("owner"), &corev1.Service{ObjectMeta: ownedMeta("")}} {
		m.cache.update(obj)
		kind := kindOf(obj, m.GetScheme()).Kind
		if s := m.reconciles(t, i+1)[i]; s.Name != "reconcile "+kind || attributeText(s, "operator.reconcile.trigger") != "update "+kind {
			t.Errorf("span %q with the trigger %q, want the kind %s in both", s.Name, attributeText(s, "operator.reconcile.trigger"), kind)
		}
	}
	if diff := cmp.Diff([]string{"create ConfigMap", "reconcile Deployment", "create ConfigMap", "reconcile Service"}, spanNames(m.tp.Spans())); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}
