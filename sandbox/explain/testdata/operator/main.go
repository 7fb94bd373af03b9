// Command operator reconciles Heads whose names say how slow it is: poll waits for its Deployment by
// requeues, and conflict writes a status that another writer changed. It also listens for webhooks that
// never answer. scripts/record-traces.sh runs it.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/provider"
)

const (
	poll      = 3 * time.Second
	conflicts = 3
)

func main() {
	ctrl.SetLogger(zap.New())
	if err := run(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	traces, err := provider.New(ctx)
	if err != nil {
		return err
	}
	defer traces.Shutdown(context.WithoutCancel(ctx))
	stalled, err := net.Listen("tcp", "127.0.0.1:9999") // Clients wait for its TLS handshake.
	if err != nil {
		return err
	}
	defer stalled.Close()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	cfg := ctrl.GetConfigOrDie()
	cfg.Wrap(tracing.WrapTransport(traces.Options()...)) // kube-apiserver traces the requests, too.
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		return err
	}
	plain, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	mgr = tracing.WrapManager(mgr, append(traces.Options(), tracing.WithConverge(&v1alpha1.Head{}))...)
	r := &reconciler{client: mgr.GetClient(), other: client.WithFieldOwner(plain, "other")}
	if err := ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.Head{}).Complete(r); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

type reconciler struct {
	client client.Client
	other  client.Client // of another writer
	failed int
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	head := &v1alpha1.Head{}
	if err := r.client.Get(ctx, req.NamespacedName, head); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if meta.IsStatusConditionTrue(head.Status.Conditions, v1alpha1.ConditionReady) {
		return ctrl.Result{}, nil
	}
	switch head.Name {
	case "poll":
		deployment := &appsv1.Deployment{}
		err := r.client.Get(ctx, req.NamespacedName, deployment)
		switch {
		case apierrors.IsNotFound(err):
			return ctrl.Result{RequeueAfter: poll}, r.client.Create(ctx, deploymentOf(head))
		case err != nil:
			return ctrl.Result{}, err
		case deployment.Status.AvailableReplicas == 0:
			return ctrl.Result{RequeueAfter: poll}, nil
		}
	case "conflict":
		if r.failed < conflicts {
			r.failed++
			changed := head.DeepCopy()
			metav1.SetMetaDataAnnotation(&changed.ObjectMeta, "changed", fmt.Sprint(r.failed))
			if err := r.other.Update(ctx, changed); err != nil {
				return ctrl.Result{}, err
			}
		}
	case "slow":
		child := &v1alpha1.ChildA{ObjectMeta: metav1.ObjectMeta{Namespace: head.Namespace, Name: head.Name}, Spec: v1alpha1.ChildASpec{Image: "a"}}
		if err := client.IgnoreAlreadyExists(r.client.Create(ctx, child)); err != nil {
			return ctrl.Result{}, err
		}
	default:
		return ctrl.Result{}, nil
	}
	meta.SetStatusCondition(&head.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "Done"})
	return ctrl.Result{}, r.client.Status().Update(ctx, head)
}

func deploymentOf(head *v1alpha1.Head) *appsv1.Deployment {
	labels := map[string]string{"head": head.Name}
	owner := metav1.NewControllerRef(head, v1alpha1.GroupVersion.WithKind("Head"))
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: head.Namespace, Name: head.Name, OwnerReferences: []metav1.OwnerReference{*owner}},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "registry.k8s.io/pause:3.10.2"}}},
			},
		},
	}
}
