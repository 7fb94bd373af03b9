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

// clockSlack is how far the clock of the engine's machine may be behind this one's.
const clockSlack = 2 * time.Second

// waitForNews waits until the API server no longer says of any container that it runs since before the node was restarted.
// Until the kubelet has looked again, everything that ran before the stop is still called ready.
func (c *Cluster) waitForNews(ctx context.Context, restarted time.Time) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("waiting for the kubelet's news: %w", err)
	}
	old := "nothing was heard"
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
		return fmt.Errorf("waiting for the kubelet's news after the restart: %w: %s", err, old)
	}
	return nil
}

// olderThan names a container that is said to run since before a time, or returns "".
func olderThan(pods []corev1.Pod, when time.Time) string {
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			if running := status.State.Running; running != nil && running.StartedAt.Time.Before(when) {
				return fmt.Sprintf("container %s of pod %s/%s is said to run since %s", status.Name, pod.Namespace, pod.Name,
					running.StartedAt.Format(time.TimeOnly))
			}
		}
	}
	return ""
}
