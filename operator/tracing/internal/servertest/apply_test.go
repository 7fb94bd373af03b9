package servertest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

var config *rest.Config

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS is unset: run `make envtest-assets` and set it, or `make test-short`, which does both")
		return 1
	}
	env := &envtest.Environment{}
	var err error
	if config, err = env.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "starting the API server:", err)
		return 1
	}
	defer func() {
		if err := env.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stopping the API server:", err)
		}
	}()
	return m.Run()
}

// world is a namespace with an owner whose trace context is stale, so that each reconcile of it
// starts a new trace.
type world struct {
	tp        *tracingtest.TracerProvider
	plain     client.Client
	traced    client.Client
	opts      []tracing.Option
	namespace string
	owner     *corev1.ConfigMap
}

func newWorld(t *testing.T) *world {
	t.Helper()
	tp := tracingtest.NewTracerProvider()
	w := &world{tp: tp, opts: []tracing.Option{tracing.WithTracerProvider(tp), tracing.WithMaxAge(time.Nanosecond)}}
	var err error
	if w.plain, err = client.New(config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	if w.traced, err = tracing.NewClientFunc(w.opts...)(config, client.Options{}); err != nil {
		t.Fatal(err)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "tracing-"}}
	if err := w.plain.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	w.namespace = ns.Name
	w.owner = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "owner"}}
	if err := w.traced.Create(t.Context(), w.owner); err != nil {
		t.Fatal(err)
	}
	return w
}

// reconcile runs f as a reconcile of the owner, which it reads first.
func (w *world) reconcile(t *testing.T, f func(context.Context) error) {
	t.Helper()
	r := tracing.WrapReconciler(&corev1.ConfigMap{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		if err := w.traced.Get(ctx, req.NamespacedName, &corev1.ConfigMap{}); err != nil {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, f(ctx)
	}), w.opts...)
	if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(w.owner)}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) version(t *testing.T, obj client.Object) string {
	t.Helper()
	if err := w.plain.Get(t.Context(), client.ObjectKeyFromObject(obj), obj); err != nil {
		t.Fatal(err)
	}
	return obj.GetResourceVersion()
}

func applied(namespace, image string) *appsv1ac.DeploymentApplyConfiguration {
	labels := map[string]string{"app": "child"}
	return appsv1ac.Deployment("child", namespace).WithSpec(appsv1ac.DeploymentSpec().
		WithSelector(metav1ac.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(corev1ac.PodTemplateSpec().WithLabels(labels).WithSpec(corev1ac.PodSpec().
			WithContainers(corev1ac.Container().WithName("main").WithImage(image)))))
}

// TestRepeatedWritesComeToRest: although each reconcile has a stale context, its repeated writes
// change nothing. Otherwise the owner's watch would start the next reconcile in an endless loop. An
// apply that changed nothing leaves no span.
func TestRepeatedWritesComeToRest(t *testing.T) {
	force := []client.ApplyOption{client.FieldOwner("operator"), client.ForceOwnership}
	child := func(w *world) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "child"}}
	}
	undefaulted := func(d *appsv1.Deployment) {
		labels := map[string]string{"app": "child"}
		d.Spec = appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image:1"}}},
			},
		}
	}
	for name, tc := range map[string]struct {
		write  func(context.Context, *world) error
		traces int
	}{
		"apply, not read": {func(ctx context.Context, w *world) error {
			return w.traced.Apply(ctx, applied(w.namespace, "image:1"), force...)
		}, 1},
		"apply, not read, without force": {func(ctx context.Context, w *world) error {
			return w.traced.Apply(ctx, applied(w.namespace, "image:1"), client.FieldOwner("operator"))
		}, 1},
		"apply, read": {func(ctx context.Context, w *world) error {
			d := child(w)
			err := w.traced.Get(ctx, client.ObjectKeyFromObject(d), d)
			if client.IgnoreNotFound(err) != nil {
				return err
			}
			return w.traced.Apply(ctx, applied(w.namespace, "image:1"), force...)
		}, 1},
		"update with an undefaulted spec": {func(ctx context.Context, w *world) error {
			d := child(w)
			err := w.traced.Get(ctx, client.ObjectKeyFromObject(d), d)
			if client.IgnoreNotFound(err) != nil {
				return err
			}
			undefaulted(d)
			if err != nil {
				return w.traced.Create(ctx, d)
			}
			return w.traced.Update(ctx, d)
		}, 102},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for range 2 { // the first creates; the second repeats the writes
				w.reconcile(t, func(ctx context.Context) error { return tc.write(ctx, w) })
			}
			want := w.version(t, child(w))
			for range 100 {
				w.reconcile(t, func(ctx context.Context) error { return tc.write(ctx, w) })
			}
			if got := w.version(t, child(w)); got != want {
				t.Errorf("resourceVersion went from %s to %s", want, got)
			}
			traces := map[string]bool{}
			for _, s := range w.tp.Spans() {
				if s.Name == "reconcile ConfigMap" {
					traces[s.Context.TraceID().String()] = true
				}
			}
			if len(traces) != tc.traces {
				t.Errorf("the reconciles were in %d traces, want %d", len(traces), tc.traces)
			}
		})
	}
}

// TestContextBelongsToGeneration: a write's context belongs to the generation that the API server
// sets, so that the next reconcile is a child of the write.
func TestContextBelongsToGeneration(t *testing.T) {
	w := newWorld(t)
	opts := []tracing.Option{tracing.WithTracerProvider(w.tp)}
	c := tracing.WrapClient(w.plain, opts...)
	labels := map[string]string{"app": "child"}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "child"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image:1"}}},
			},
		},
	}
	reconcileChild := func(f func(context.Context) error) {
		r := tracing.WrapReconciler(d, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
			if err := c.Get(ctx, req.NamespacedName, d); err != nil {
				return reconcile.Result{}, err
			}
			return reconcile.Result{}, f(ctx)
		}), opts...)
		if _, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(d)}); err != nil {
			t.Fatal(err)
		}
	}
	isChildOf := func(write string) {
		t.Helper()
		written := lastNamed(w.tp, write)
		reconcileChild(func(ctx context.Context) error {
			_, span := w.tp.Tracer("user").Start(ctx, "step")
			span.End()
			return nil
		})
		if got := lastNamed(w.tp, "reconcile Deployment"); got.Parent.SpanID() != written.Context.SpanID() {
			t.Errorf("after %s, the reconcile's parent is %s, want %s", write, got.Parent.SpanID(), written.Context.SpanID())
		}
	}

	if err := c.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	isChildOf("create Deployment")
	reconcileChild(func(ctx context.Context) error { d.Spec.Replicas = new(int32(4)); return c.Update(ctx, d) })
	isChildOf("update Deployment")
	reconcileChild(func(ctx context.Context) error {
		before := d.DeepCopy()
		d.Spec.Replicas = new(int32(5))
		return c.Patch(ctx, d, client.MergeFrom(before))
	})
	isChildOf("patch Deployment")
	reconcileChild(func(ctx context.Context) error {
		return c.Apply(ctx, applied(w.namespace, "image:2"), client.FieldOwner("operator"), client.ForceOwnership)
	})
	isChildOf("apply Deployment")
}

func lastNamed(tp *tracingtest.TracerProvider, name string) (last tracingtest.Span) {
	for _, s := range tp.Spans() {
		if s.Name == name {
			last = s
		}
	}
	return last
}
