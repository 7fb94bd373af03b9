package main

import (
	"context"
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// TestFaults checks that the operator converges after each fault at each of its writes and events.
// In short mode, it runs the two faults that find most.
func TestFaults(t *testing.T) {
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	head := func(namespace string) *v1alpha1.Head {
		return &v1alpha1.Head{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web", Finalizers: []string{v1alpha1.ChildAFinalizer}},
			Spec:       v1alpha1.HeadSpec{ChildA: "example.com/image:1"},
		}
	}
	o := faulttest.Options{Scheme: scheme, CRDs: []string{"../config/crd/bases"}}
	if testing.Short() {
		o.Faults = []plan.Fault{plan.KillAfter, plan.LostAnswer}
	}
	faulttest.Run(t, faulttest.Operator{
		Start: startControllers,
		Apply: func(ctx context.Context, c client.Client, namespace string) error {
			return c.Create(ctx, head(namespace)) // with the finalizer, because there is no webhook
		},
		Update: func(ctx context.Context, c client.Client, namespace string) error {
			patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"child_a":"example.com/image:2"}}`))
			return c.Patch(ctx, head(namespace), patch)
		},
		Ready: func(ctx context.Context, c client.Client, namespace string) (bool, error) {
			h := head(namespace)
			err := c.Get(ctx, client.ObjectKeyFromObject(h), h)
			return err == nil && h.Status.Ready && h.Status.ObservedGeneration == h.Generation, err
		},
		Cluster: playCluster,
	}, o)
}

// startControllers runs the manager of newManager without the webhook. Several of them run in this process,
// one after another.
func startControllers(ctx context.Context, cfg *rest.Config) error {
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	opts := managerOptions(options{metricsAddress: "0", probeAddress: "0"}, scheme, log.FromContext(ctx))
	opts.Controller.SkipNameValidation = ptr.To(true)
	mgr, err := ctrl.NewManager(cfg, opts)
	if err != nil {
		return err
	}
	mgr = tracing.WrapManager(mgr)
	if err := addControllers(mgr); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// playCluster does the work of the Deployment controller. faulttest collects the garbage.
func playCluster(ctx context.Context, c client.Client) error {
	err := wait.PollUntilContextCancel(ctx, waitInterval, true, func(ctx context.Context) (bool, error) {
		_ = rollOut(ctx, c) // the next poll tries again
		return false, nil
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// rollOut makes all Deployments available.
func rollOut(ctx context.Context, c client.Client) error {
	list := &appsv1.DeploymentList{}
	err := c.List(ctx, list)
	for _, d := range list.Items {
		if d.Status.ObservedGeneration == d.Generation {
			continue
		}
		n := *d.Spec.Replicas
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
		err = errors.Join(err, c.Status().Update(ctx, &d))
	}
	return err
}
