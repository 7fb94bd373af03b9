package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/operator-tracing/sandbox/sandbox/poll"
)

// clockSlack is the tolerance for a slow clock on the machine of the engine.
const clockSlack = 2 * time.Second

// waitForStatus waits until the status of every running container is newer than the restart of the
// node. Before the kubelet updates it, the status still reports all containers from before the
// restart as ready.
func (c *Cluster) waitForStatus(ctx context.Context, restarted time.Time) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("waiting for the kubelet's status updates: %w", err)
	}
	err = poll.Within(ctx, pollEvery, readyTimeout, func(ctx context.Context) error {
		pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		return olderThan(pods.Items, restarted.Add(-clockSlack))
	})
	if err != nil {
		return fmt.Errorf("waiting for the kubelet's status updates after the restart: %w", err)
	}
	return nil
}

// olderThan returns an error if a container is reported as running since before a time.
func olderThan(pods []corev1.Pod, when time.Time) error {
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			if running := status.State.Running; running != nil && running.StartedAt.Time.Before(when) {
				return fmt.Errorf("container %s of Pod %s/%s is reported as running since %s", status.Name, pod.Namespace, pod.Name,
					running.StartedAt.Format(time.TimeOnly))
			}
		}
	}
	return nil
}
