package install

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// diagnosisTimeout bounds the look at Pods after a wait has failed, when its own context is over.
const diagnosisTimeout = 5 * time.Second

// podTrouble returns what keeps the Pods of a Deployment from being ready, one error for each Pod, or nil if obj is no
// Deployment, its Pods are fine or nothing can be learned. It runs after ctx has ended.
func podTrouble(ctx context.Context, c *Cluster, obj *unstructured.Unstructured) error {
	if obj.GroupVersionKind() != appsv1.SchemeGroupVersion.WithKind("Deployment") {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnosisTimeout)
	defer cancel()

	deployment := &appsv1.Deployment{}
	if err := c.client.Get(ctx, client.ObjectKeyFromObject(obj), deployment); err != nil {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(deployment.Spec.Selector)
	if err != nil {
		return nil
	}
	pods := &corev1.PodList{}
	if err := c.client.List(ctx, pods, client.InNamespace(obj.GetNamespace()), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil
	}
	var troubles []error
	for i := range pods.Items {
		pod := &pods.Items[i]
		if text, container := trouble(pod); text != "" {
			if container != "" {
				text += lastLogLine(ctx, c, pod, container)
			}
			troubles = append(troubles, fmt.Errorf("pod %s/%s: %s", pod.Namespace, pod.Name, text))
		}
	}
	return errors.Join(troubles...)
}

// trouble says why pod isn't ready, or "" if it is. If the reason is a container that ended, container names it, and its
// log is worth a look.
func trouble(pod *corev1.Pod) (text, container string) {
	for _, s := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		ended := s.State.Terminated
		if ended == nil {
			ended = s.LastTerminationState.Terminated
		}
		switch waiting := s.State.Waiting; {
		case s.Ready || s.State.Terminated != nil && s.State.Terminated.ExitCode == 0:
			continue
		case ended != nil:
			reason := ended.Reason
			if waiting != nil {
				reason = waiting.Reason
			}
			return fmt.Sprintf("container %s: %s: exit code %d", s.Name, reason, ended.ExitCode), s.Name
		case waiting != nil && waiting.Reason != "":
			return strings.TrimSuffix(fmt.Sprintf("container %s: %s: %s", s.Name, waiting.Reason, waiting.Message), ": "), ""
		case s.State.Running != nil:
			return fmt.Sprintf("container %s: running, readiness probe not passed", s.Name), s.Name
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status != corev1.ConditionTrue {
			return fmt.Sprintf("%s: %s", condition.Reason, condition.Message), ""
		}
	}
	if len(pod.Status.ContainerStatuses) == 0 {
		return "phase " + string(pod.Status.Phase) + ", no container yet", ""
	}
	return "", ""
}

// lastLogLine returns the last line that container logged, as a suffix for a message, or "".
func lastLogLine(ctx context.Context, c *Cluster, pod *corev1.Pod, container string) string {
	options := &corev1.PodLogOptions{Container: container, TailLines: new(int64(1)), LimitBytes: new(int64(2048))}
	raw, err := c.clientset.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).DoRaw(ctx)
	line := strings.TrimSpace(string(raw))
	if err != nil || line == "" {
		return ""
	}
	return ": last log line: " + line
}
