package tracing

import (
	"context"
	"errors"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// recordEverything records every kind of span, with all its attributes and events.
func recordEverything(t *testing.T) []tracingtest.Span {
	t.Helper()
	tp := tracingtest.NewTracerProvider()
	r := &everything{t: t, opts: []Option{WithTracerProvider(tp), WithConverge(&appsv1.Deployment{})}}
	r.admissions()
	r.writes()
	r.outcomes()
	r.ends()
	r.controlled()
	r.mixed()
	r.causes()
	r.reads()
	if n := tp.Unended(); n != 0 {
		t.Errorf("%d spans have not ended", n)
	}
	return tp.Spans()
}

type everything struct {
	t    *testing.T
	opts []Option
}

func (r *everything) admissions() {
	denies := WrapAdmissionHandler(inner{refuses: errForbidden}, r.opts...)
	denies.Handle(r.t.Context(), admission.Request{AdmissionRequest: reviewOf(r.t, nil, submitted(), "alice", false)})
	outside := submitted(bears(sampledContext(7)))
	for _, old := range []*appsv1.Deployment{nil, deployment("owner", carries(sampledContext(1), time.Hour))} {
		req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Create, Kind: metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		}}
		if old != nil {
			req.Operation = admissionv1.Update
			req.OldObject.Raw = marshal(r.t, old)
		}
		obj := outside.DeepCopy()
		obj.UID, obj.Spec.Paused = "uid", true
		if err := WrapDefaulter[*appsv1.Deployment](nil, r.opts...).Default(admission.NewContextWithRequest(r.t.Context(), req), obj); err != nil {
			r.t.Fatal(err)
		}
	}
}

// reconcile runs f as the reconciler of the Deployment "owner", which carries a context of another
// trace.
func (r *everything) reconcile(server client.Client, result reconcile.Result, f func(context.Context, client.Client, *appsv1.Deployment) error) {
	r.t.Helper()
	newConfig(r.opts).causes.forget() // the servers reuse UIDs
	c := WrapClient(server, r.opts...)
	wrapped := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		var owner appsv1.Deployment
		if err := c.Get(ctx, req.NamespacedName, &owner); err != nil {
			r.t.Fatal(err)
		}
		return result, f(ctx, c, &owner)
	}), r.opts...)
	defer func() { _ = recover() }() // for the reconcile that panics
	_, _ = wrapped.Reconcile(r.t.Context(), requestFor(deployment("owner")))
}

func (r *everything) server() client.WithWatch {
	return newFakeServer(r.t, deployment("owner", carries(sampledContext(1), 2*time.Hour)), configMap("there"), deployment("other", carries(sampledContext(2), time.Hour)))
}

func (r *everything) writes() {
	write := func(f func(context.Context, client.Client, *appsv1.Deployment) error) {
		r.t.Helper()
		r.reconcile(r.server(), reconcile.Result{}, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			if err := f(ctx, c, d); err != nil {
				r.t.Error(err)
			}
			return nil
		})
	}
	other := func(ctx context.Context, c client.Client) *appsv1.Deployment {
		d := deployment("other")
		if err := c.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
			r.t.Fatal(err)
		}
		return d
	}
	write(func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		return c.Create(ctx, configMap("new"))
	})
	write(func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		d := other(ctx, c)
		d.Spec.Paused = true
		return c.Update(ctx, d)
	})
	write(func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		d := other(ctx, c)
		d.Labels = map[string]string{"a": "b"}
		return c.Update(ctx, d)
	})
	write(func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		d := other(ctx, c)
		before := d.DeepCopy()
		d.Spec.Paused = true
		return c.Patch(ctx, d, client.MergeFrom(before))
	})
	write(func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		return c.Patch(ctx, other(ctx, c), client.RawPatch(types.JSONPatchType, []byte(`[{"op":"add","path":"/metadata/labels","value":{}}]`)))
	})
	for _, data := range []map[string]string{{"a": "b"}, nil} {
		write(func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
			if err := c.Get(ctx, client.ObjectKey{Namespace: "ns", Name: "there"}, &corev1.ConfigMap{}); err != nil {
				return err
			}
			return c.Apply(ctx, corev1ac.ConfigMap("there", "ns").WithData(data).WithLabels(data), client.FieldOwner("test"), client.ForceOwnership)
		})
	}
	write(func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		return c.Delete(ctx, configMap("there"))
	})
	write(func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		return c.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace("ns"))
	})
	write(func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		return writeReady(ctx, c, d, corev1.ConditionTrue)
	})
	write(func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 5}}
		return c.SubResource("scale").Update(ctx, d, client.WithSubResourceBody(scale))
	})
}

// outcomes records every way in which a write fails.
func (r *everything) outcomes() {
	for _, err := range []error{
		apierrors.NewConflict(schema.GroupResource{}, "there", errors.New("changed")),
		apierrors.NewForbidden(schema.GroupResource{}, "there", errors.New("not allowed")),
		apierrors.NewNotFound(schema.GroupResource{}, "there"),
		apierrors.NewAlreadyExists(schema.GroupResource{}, "there"),
	} {
		server := interceptor.NewClient(r.server(), interceptor.Funcs{
			Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return err },
			Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error { return err },
			Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
				return err
			},
			Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
				return err
			},
			Delete:      func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error { return err },
			DeleteAllOf: func(context.Context, client.WithWatch, client.Object, ...client.DeleteAllOfOption) error { return err },
			SubResourceUpdate: func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
				return err
			},
		})
		cm := func() *corev1.ConfigMap { return configMap("there") }
		patch := client.RawPatch(types.MergePatchType, []byte(`{"data":{"a":"c"}}`))
		for _, f := range []func(context.Context, client.Client) error{
			func(ctx context.Context, c client.Client) error { return c.Create(ctx, cm()) },
			func(ctx context.Context, c client.Client) error { return c.Update(ctx, cm()) },
			func(ctx context.Context, c client.Client) error { return c.Patch(ctx, cm(), patch) },
			func(ctx context.Context, c client.Client) error {
				return c.Apply(ctx, corev1ac.ConfigMap("there", "ns"))
			},
			func(ctx context.Context, c client.Client) error { return c.Delete(ctx, cm()) },
			func(ctx context.Context, c client.Client) error { return c.DeleteAllOf(ctx, cm()) },
			func(ctx context.Context, c client.Client) error { return c.Status().Update(ctx, deployment("other")) },
			func(ctx context.Context, c client.Client) error {
				return c.SubResource("scale").Update(ctx, deployment("other"))
			},
		} {
			r.reconcile(server, reconcile.Result{}, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error { return f(ctx, c) })
		}
	}
}

// reads records more reads before the reconcile's span starts than maxWaiting.
func (r *everything) reads() {
	r.opts = append(r.opts, WithReads())
	r.reconcile(r.server(), reconcile.Result{}, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		for range maxWaiting {
			_ = c.List(ctx, &corev1.ConfigMapList{})
		}
		controllerutil.AddFinalizer(d, ours)
		if err := c.Update(ctx, d); err != nil {
			r.t.Error(err)
		}
		_ = c.Get(ctx, client.ObjectKey{Namespace: "ns", Name: "gone"}, &corev1.ConfigMap{})
		controllerutil.RemoveFinalizer(d, ours)
		return c.Update(ctx, d)
	})
}

// ends records every way in which a reconcile ends.
func (r *everything) ends() {
	touch := func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		return c.Create(ctx, configMap("new"))
	}
	r.reconcile(r.server(), reconcile.Result{RequeueAfter: time.Minute}, touch)
	r.reconcile(r.server(), reconcile.Result{}, func(context.Context, client.Client, *appsv1.Deployment) error { return errors.New("broken") })
	r.reconcile(r.server(), reconcile.Result{}, func(context.Context, client.Client, *appsv1.Deployment) error {
		return reconcile.TerminalError(errors.New("permanently broken"))
	})
	r.reconcile(r.server(), reconcile.Result{}, func(context.Context, client.Client, *appsv1.Deployment) error { panic("broken") })
}
