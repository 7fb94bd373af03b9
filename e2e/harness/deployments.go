package harness

import (
	"context"
	"errors"
	"fmt"
	"io"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	operatorNamespace = "operator-tracing-system"
	jaegerNamespace   = "jaeger"
	managerContainer  = "manager"
)

// managerLabels are the operator's own: its Deployment's name depends on the
// prefix of the manifests.
var managerLabels = client.MatchingLabels{
	"app.kubernetes.io/name": "operator-tracing", "app.kubernetes.io/component": "manager",
}

// deployments are the operator and Jaeger of a kind cluster.
type deployments struct {
	client    client.Client
	clientset kubernetes.Interface // for logs of pods
	name      string               // of the cluster
	provider  string
	metrics   podMetrics
}

var _ parts = (*deployments)(nil)

func (d *deployments) stopJaeger(ctx context.Context) error { return d.scaleJaeger(ctx, 0) }

func (d *deployments) startJaeger(ctx context.Context) error { return d.scaleJaeger(ctx, 1) }

func (d *deployments) scaleJaeger(ctx context.Context, replicas int32) error {
	return d.scale(ctx, replicas, func(ctx context.Context) (*appsv1.Deployment, error) {
		jaeger := &appsv1.Deployment{}
		return jaeger, d.client.Get(ctx, client.ObjectKey{Namespace: jaegerNamespace, Name: "jaeger"}, jaeger)
	})
}

// scale sets the number of a Deployment's pods, and waits until that many run.
func (d *deployments) scale(ctx context.Context, replicas int32, get func(context.Context) (*appsv1.Deployment, error)) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		deployment, err := get(ctx)
		if err != nil || ptr.Deref(deployment.Spec.Replicas, 1) == replicas {
			return err
		}
		deployment.Spec.Replicas = &replicas
		return d.client.Update(ctx, deployment)
	})
	if err != nil {
		return fmt.Errorf("scaling to %d: %w", replicas, err)
	}
	return Eventually(ctx, rolloutLimit, fmt.Sprintf("%d pods", replicas), func(ctx context.Context) error {
		deployment, err := get(ctx)
		if err != nil {
			return err
		}
		return d.settled(ctx, deployment)
	})
}

// settled is rolledOut, and that no pod of another template is left: an operator
// that is ending may still hold the lease, and answer the webhook's calls.
func (d *deployments) settled(ctx context.Context, deployment *appsv1.Deployment) error {
	if err := rolledOut(deployment); err != nil {
		return err
	}
	pods, err := d.podsOf(ctx, deployment)
	if err != nil {
		return err
	}
	if len(pods) != int(deployment.Status.Replicas) {
		return fmt.Errorf("deployment %s/%s: %d pods are there, want %d", deployment.Namespace, deployment.Name, len(pods), deployment.Status.Replicas)
	}
	return nil
}

// rolledOut says why a Deployment isn't what its template says, all of it and
// nothing else; nil if it is.
func rolledOut(d *appsv1.Deployment) error {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	s := d.Status
	if s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == want && s.Replicas == want && s.AvailableReplicas == want && s.ReadyReplicas == want {
		return nil
	}
	return fmt.Errorf("deployment %s/%s: %d wanted, %d there, %d updated, %d available, generation %d of %d observed",
		d.Namespace, d.Name, want, s.Replicas, s.UpdatedReplicas, s.AvailableReplicas, s.ObservedGeneration, d.Generation)
}

// podsOf lists the pods of a Deployment, those on their way out too.
func (d *deployments) podsOf(ctx context.Context, deployment *appsv1.Deployment) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := d.client.List(ctx, pods, client.InNamespace(deployment.Namespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
	if err != nil {
		return nil, fmt.Errorf("listing the pods of Deployment %s/%s: %w", deployment.Namespace, deployment.Name, err)
	}
	return pods.Items, nil
}

func (d *deployments) operatorLog(ctx context.Context) ([]byte, error) {
	operator, err := d.operator(ctx)
	if err != nil {
		return nil, err
	}
	pods, err := d.podsOf(ctx, operator)
	if err != nil {
		return nil, err
	}
	var log []byte
	for _, pod := range pods {
		data, err := d.podLog(ctx, &pod, managerContainer, false)
		if err != nil {
			return nil, err
		}
		log = append(log, data...)
	}
	return log, nil
}

// keepLogs writes those of a container's last end too, where there was one.
func (d *deployments) keepLogs(ctx context.Context, namespace string, write writeFunc) {
	for _, namespace := range []string{operatorNamespace, jaegerNamespace, namespace} {
		pods := &corev1.PodList{}
		if err := d.client.List(ctx, pods, client.InNamespace(namespace)); err != nil {
			write("logs of namespace "+namespace, nil, err)
			continue
		}
		for _, pod := range pods.Items {
			for _, status := range pod.Status.ContainerStatuses {
				name := fmt.Sprintf("log-%s-%s-%s", namespace, pod.Name, status.Name)
				data, err := d.podLog(ctx, &pod, status.Name, false)
				write(name+".txt", data, err)
				if status.RestartCount > 0 {
					data, err := d.podLog(ctx, &pod, status.Name, true)
					write(name+".previous.txt", data, err)
				}
			}
		}
	}
}

func (d *deployments) podLog(ctx context.Context, pod *corev1.Pod, container string, previous bool) ([]byte, error) {
	options := &corev1.PodLogOptions{Container: container, Previous: previous, Timestamps: true, LimitBytes: ptr.To[int64](maxLog), TailLines: ptr.To[int64](20_000)}
	stream, err := d.clientset.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).Stream(ctx)
	if apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) {
		return []byte("no log: " + err.Error() + "\n"), nil // not started, or gone
	}
	if err != nil {
		return nil, fmt.Errorf("reading the log of pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	data, err := io.ReadAll(stream)
	return data, errors.Join(err, stream.Close())
}
