package main

import (
	"crypto/sha256"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podPlaced returns a status with the fields that every Pod on the node has: addresses and start
// time. It keeps the values that the Pod already has.
func (s statuses) podPlaced(pod *corev1.Pod) (corev1.PodStatus, error) {
	status := corev1.PodStatus{
		ObservedGeneration: pod.Generation,
		HostIP:             nodeAddress,
		HostIPs:            []corev1.HostIP{{IP: nodeAddress}},
		PodIP:              pod.Status.PodIP,
		StartTime:          pod.Status.StartTime,
	}
	switch {
	case status.PodIP != "":
	case pod.Spec.HostNetwork:
		status.PodIP = nodeAddress
	default:
		address, err := s.addresses.get(pod.UID)
		if err != nil {
			return corev1.PodStatus{}, err
		}
		status.PodIP = address.String()
	}
	status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	if status.StartTime == nil {
		status.StartTime = new(metav1.NewTime(s.now()))
	}
	return status, nil
}

// podConditions returns the conditions of a Pod. If reason is empty, the containers are ready;
// otherwise reason explains why they are not. A condition with unchanged status keeps its
// transition time. Readiness gates count as passed.
func (s statuses) podConditions(pod *corev1.Pod, reason, message string) []corev1.PodCondition {
	now := metav1.NewTime(s.now())
	condition := func(kind corev1.PodConditionType, reason, message string) corev1.PodCondition {
		c := corev1.PodCondition{
			Type: kind, Status: corev1.ConditionTrue, ObservedGeneration: pod.Generation, LastTransitionTime: now, Reason: reason, Message: message,
		}
		if reason != "" {
			c.Status = corev1.ConditionFalse
		}
		for i := range pod.Status.Conditions {
			if old := &pod.Status.Conditions[i]; old.Type == c.Type && old.Status == c.Status {
				c.LastTransitionTime = old.LastTransitionTime
			}
		}
		return c
	}
	return []corev1.PodCondition{
		condition(corev1.PodReadyToStartContainers, "", ""),
		condition(corev1.PodInitialized, "", ""),
		condition(corev1.ContainersReady, reason, message),
		condition(corev1.PodReady, reason, message),
	}
}

// containerStatus returns the status of a container in state. A waiting container does not have an
// id yet. A running container keeps its state if its image is unchanged. If the image has changed,
// the restart count increases.
func containerStatus(pod *corev1.Pod, container *corev1.Container, state corev1.ContainerState, ready bool) corev1.ContainerStatus {
	status := corev1.ContainerStatus{
		Name: container.Name, Image: container.Image, State: state, Ready: ready, Started: new(state.Running != nil),
	}
	for _, old := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if old.Name != container.Name {
			continue
		}
		status.RestartCount = old.RestartCount
		switch {
		case old.State.Running == nil:
		case old.Image != container.Image:
			status.RestartCount++
		case state.Running != nil:
			status.State = old.State
		}
	}
	if state.Waiting == nil {
		status.ImageID = container.Image
		id := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", pod.UID, container.Name, status.RestartCount))
		status.ContainerID = fmt.Sprintf("kwok://%x", id)
		if state.Terminated != nil {
			status.State.Terminated = state.Terminated.DeepCopy()
			status.State.Terminated.ContainerID = status.ContainerID
		}
	}
	return status
}

// isSidecar reports whether an init container runs as long as its Pod.
func isSidecar(container *corev1.Container) bool {
	return container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways
}
