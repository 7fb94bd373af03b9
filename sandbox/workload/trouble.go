package workload

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
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
)

// diagnosisTimeout limits [PodTrouble], which runs when the context of a wait has ended.
const diagnosisTimeout = 5 * time.Second

// PodTrouble explains why Pods of Deployments are not ready, with one error for each Pod. It
// ignores other objects and returns nil if all Pods are ready or no reason is known. It works
// although ctx has ended, for at most 5 s.
func PodTrouble(ctx context.Context, c *apply.Cluster, objects []*unstructured.Unstructured) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), diagnosisTimeout)
	defer cancel()
	var troubles []error
	for _, obj := range objects {
		if obj.GroupVersionKind().Group == appsv1.GroupName {
			troubles = append(troubles, deploymentTrouble(ctx, c, obj))
		}
	}
	return errors.Join(troubles...)
}

func deploymentTrouble(ctx context.Context, c *apply.Cluster, obj *unstructured.Unstructured) error {
	live := obj.DeepCopy()
	if err := c.Client().Get(ctx, client.ObjectKeyFromObject(obj), live); err != nil {
		return nil
	}
	pods, err := podsOf(ctx, c, live)
	if err != nil {
		return nil
	}
	var troubles []error
	for i := range pods {
		pod := &pods[i]
		if text, container := trouble(pod); text != "" {
			if container != "" {
				text += lastLogLine(ctx, c, pod, container)
			}
			troubles = append(troubles, fmt.Errorf("pod %s/%s: %s", pod.Namespace, pod.Name, text))
		}
	}
	return errors.Join(troubles...)
}

// podsOf lists the Pods that the selector of a Deployment or StatefulSet selects.
func podsOf(ctx context.Context, c *apply.Cluster, obj *unstructured.Unstructured) ([]corev1.Pod, error) {
	d := &appsv1.Deployment{} // The selector of a StatefulSet is at the same place.
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, d); err != nil {
		return nil, err
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil || selector.Empty() {
		return nil, err
	}
	pods := &corev1.PodList{}
	err = c.Client().List(ctx, pods, client.InNamespace(d.Namespace), client.MatchingLabelsSelector{Selector: selector})
	return pods.Items, err
}

// trouble explains why a Pod is not ready; "" if it is. If the reason is a container that exited or
// fails its probe, container is its name: its log may contain the cause.
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

// lastLogLine returns the last line that a container logged, as a suffix for a message, or "".
func lastLogLine(ctx context.Context, c *apply.Cluster, pod *corev1.Pod, container string) string {
	options := &corev1.PodLogOptions{Container: container, TailLines: new(int64(1)), LimitBytes: new(int64(2048))}
	raw, err := c.Clientset().CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, options).DoRaw(ctx)
	line := strings.TrimSpace(string(raw))
	if err != nil || line == "" {
		return ""
	}
	return ": last log line: " + line
}
