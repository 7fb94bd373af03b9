package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kind/pkg/cluster"
)

const (
	operatorNamespace = "operator-tracing-system"
	jaegerNamespace   = "jaeger"
	managerContainer  = "manager"
	// logsLimit bounds the export of the node's logs.
	logsLimit = 2 * time.Minute
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
}

var _ parts = (*deployments)(nil)

// operator gives the operator's Deployment.
func (d *deployments) operator(ctx context.Context) (*appsv1.Deployment, error) {
	list := &appsv1.DeploymentList{}
	if err := d.client.List(ctx, list, client.InNamespace(operatorNamespace), managerLabels); err != nil {
		return nil, fmt.Errorf("finding the operator's Deployment: %w", err)
	}
	if len(list.Items) != 1 {
		return nil, fmt.Errorf("finding the operator's Deployment: %d in namespace %s have its labels, want 1", len(list.Items), operatorNamespace)
	}
	return &list.Items[0], nil
}

func (d *deployments) setOperatorEnv(ctx context.Context, name, value string) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		operator, err := d.operator(ctx)
		if err != nil || !setEnv(operator, name, value) {
			return err
		}
		return d.client.Update(ctx, operator)
	})
	if err != nil {
		return err
	}
	return Eventually(ctx, rolloutLimit, "the operator's rollout", func(ctx context.Context) error {
		operator, err := d.operator(ctx)
		if err != nil {
			return err
		}
		return d.settled(ctx, operator)
	})
}

// setEnv changes the template and reports whether there was anything to change.
func setEnv(d *appsv1.Deployment, name, value string) bool {
	containers := d.Spec.Template.Spec.Containers
	at := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == managerContainer })
	if at < 0 {
		return false
	}
	container := &containers[at]
	i := slices.IndexFunc(container.Env, func(e corev1.EnvVar) bool { return e.Name == name })
	switch {
	case value == "" && i < 0, i >= 0 && value != "" && container.Env[i].Value == value:
		return false
	case value == "":
		container.Env = slices.Delete(container.Env, i, i+1)
	case i < 0:
		container.Env = append(container.Env, corev1.EnvVar{Name: name, Value: value})
	default:
		container.Env[i] = corev1.EnvVar{Name: name, Value: value}
	}
	return true
}

func (d *deployments) stopJaeger(ctx context.Context) error { return d.scaleJaeger(ctx, 0) }

func (d *deployments) startJaeger(ctx context.Context) error { return d.scaleJaeger(ctx, 1) }

// scaleJaeger sets the number of Jaeger's pods, and waits until that many run.
func (d *deployments) scaleJaeger(ctx context.Context, replicas int32) error {
	key := client.ObjectKey{Namespace: jaegerNamespace, Name: "jaeger"}
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		jaeger := &appsv1.Deployment{}
		if err := d.client.Get(ctx, key, jaeger); err != nil {
			return err
		}
		if jaeger.Spec.Replicas != nil && *jaeger.Spec.Replicas == replicas {
			return nil
		}
		jaeger.Spec.Replicas = &replicas
		return d.client.Update(ctx, jaeger)
	})
	if err != nil {
		return fmt.Errorf("scaling to %d: %w", replicas, err)
	}
	return Eventually(ctx, rolloutLimit, fmt.Sprintf("%d pods of Jaeger", replicas), func(ctx context.Context) error {
		jaeger := &appsv1.Deployment{}
		if err := d.client.Get(ctx, key, jaeger); err != nil {
			return err
		}
		return d.settled(ctx, jaeger)
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

// exportLogs keeps the node's logs, as kind's export does. What kind could not
// get is noted beside them.
func (d *deployments) exportLogs(ctx context.Context, folder string) error {
	engine := map[string]cluster.ProviderOption{
		"docker": cluster.ProviderWithDocker(), "podman": cluster.ProviderWithPodman(), "nerdctl": cluster.ProviderWithNerdctl("nerdctl"),
	}[d.provider]
	if engine == nil {
		return fmt.Errorf("exporting the node's logs: unknown engine %q", d.provider)
	}
	done := make(chan error, 1) // kind takes no context
	go func() {
		done <- cluster.NewProvider(engine).CollectLogs(d.name, folder)
	}()
	ctx, cancel := context.WithTimeout(ctx, logsLimit)
	defer cancel()
	select {
	case err := <-done:
		if err != nil {
			// A node that was built from source has no journalctl, for one: the rest is there.
			note := filepath.Join(folder, "incomplete.txt")
			if err := os.WriteFile(note, []byte(err.Error()+"\n"), 0o644); err != nil {
				return fmt.Errorf("exporting the node's logs: %w", err)
			}
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("exporting the node's logs: %w", ctx.Err())
	}
}
