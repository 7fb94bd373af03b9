package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
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
	old := "no answer"
	err = wait.PollUntilContextTimeout(ctx, pollEvery, readyTimeout, true, func(ctx context.Context) (bool, error) {
		pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
		if err != nil {
			old = err.Error()
			return false, nil
		}
		old = olderThan(pods.Items, restarted.Add(-clockSlack))
		return old == "", nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the kubelet's status updates after the restart: %w: %s", err, old)
	}
	return nil
}

// olderThan returns a description of a container that is reported as running since before a time,
// or "".
func olderThan(pods []corev1.Pod, when time.Time) string {
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			if running := status.State.Running; running != nil && running.StartedAt.Time.Before(when) {
				return fmt.Sprintf("container %s of Pod %s/%s is reported as running since %s", status.Name, pod.Namespace, pod.Name,
					running.StartedAt.Format(time.TimeOnly))
			}
		}
	}
	return ""
}
