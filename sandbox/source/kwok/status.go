package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// nodeAddress is the address of the node and of Pods in the host network. It is a loopback
	// address, as all addresses of the sandbox.
	nodeAddress = "127.0.0.1"
	// kubeletPort is the port from which the API server requests logs. No process listens on it, so
	// `kubectl logs` fails immediately. With the default port, it could reach the kubelet of
	// another cluster on this machine.
	kubeletPort = 1

	reasonPullFailed = "ErrImagePull"
	reasonBackOff    = "ImagePullBackOff"
	pullMessage      = "the host invalid.example does not exist"
	stoppedBySIGTERM = 128 + 15
)

// statuses creates the statuses that a kubelet would write. The templates of the stages call it.
type statuses struct {
	addresses *addresses
	now       func() time.Time
}

// functions returns the functions that the stages name. Each function receives the object as the
// template does, decoded from JSON, and returns the status as JSON. JSON is also valid YAML, which
// kwok expects.
func (s statuses) functions() template.FuncMap {
	return template.FuncMap{
		"NodeReady":     typed(s.nodeReady),
		"PodStarted":    typed(s.podStarted),
		"PodPullFailed": typed(func(pod *corev1.Pod) (any, error) { return s.podWaiting(pod, reasonPullFailed) }),
		"PodBackOff":    typed(func(pod *corev1.Pod) (any, error) { return s.podWaiting(pod, reasonBackOff) }),
		"PodCompleted":  typed(func(pod *corev1.Pod) (any, error) { return s.podEnded(pod, corev1.PodSucceeded, 0, "Completed"), nil }),
		"PodStopped": typed(func(pod *corev1.Pod) (any, error) {
			return s.podEnded(pod, corev1.PodFailed, stoppedBySIGTERM, "Error"), nil
		}),
	}
}

// typed adapts a function of a typed object to the signature that templates call.
func typed[T any](function func(*T) (any, error)) func(any) (string, error) {
	return func(decoded any) (string, error) {
		data, err := json.Marshal(decoded)
		if err != nil {
			return "", fmt.Errorf("encoding the object: %w", err)
		}
		object := new(T)
		if err := json.Unmarshal(data, object); err != nil {
			return "", fmt.Errorf("decoding the object: %w", err)
		}
		status, err := function(object)
		if err != nil {
			return "", err
		}
		if data, err = json.Marshal(status); err != nil {
			return "", fmt.Errorf("encoding the status: %w", err)
		}
		return string(data), nil
	}
}

// nodeReady returns the status of a ready node. It keeps the node's capacity; a node without
// capacity gets 32 CPUs, 256 GiB of memory and 110 Pods.
func (s statuses) nodeReady(node *corev1.Node) (any, error) {
	now := metav1.NewTime(s.now())
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, message string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: kind, Status: status, Reason: "PlayedByKwok", Message: message, LastHeartbeatTime: now, LastTransitionTime: now}
	}
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	if len(node.Status.Capacity) > 0 {
		capacity = node.Status.Capacity
	}
	allocatable := node.Status.Allocatable
	if len(allocatable) == 0 {
		allocatable = capacity
	}
	return corev1.NodeStatus{
		Capacity:    capacity,
		Allocatable: allocatable,
		Conditions: []corev1.NodeCondition{
			condition(corev1.NodeReady, corev1.ConditionTrue, "kwok simulates this node"),
			condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "no process runs on this node"),
			condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "no process runs on this node"),
			condition(corev1.NodePIDPressure, corev1.ConditionFalse, "no process runs on this node"),
			condition(corev1.NodeNetworkUnavailable, corev1.ConditionFalse, "no process listens on the Pod addresses"),
		},
		Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeInternalIP, Address: nodeAddress},
			{Type: corev1.NodeHostName, Address: node.Name},
		},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: kubeletPort}},
		NodeInfo: corev1.NodeSystemInfo{
			KubeletVersion: "kwok-" + version(), ContainerRuntimeVersion: "kwok://" + version(),
			// Manifests select nodes by operating system. The node is a Linux node on any machine.
			OperatingSystem: "linux", Architecture: runtime.GOARCH,
		},
	}, nil
}

// podStarted returns a status in which all containers and sidecars run, and init containers
// completed.
func (s statuses) podStarted(pod *corev1.Pod) (any, error) {
	status, err := s.podPlaced(pod)
	if err != nil {
		return nil, err
	}
	now := metav1.NewTime(s.now())
	status.Phase = corev1.PodRunning
	status.Conditions = s.podConditions(pod, "", "")
	up := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	done := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: now, FinishedAt: now}}
	for i := range pod.Spec.InitContainers {
		container := &pod.Spec.InitContainers[i]
		sidecar := isSidecar(container)
		state := done
		if sidecar {
			state = up
		}
		started := containerStatus(pod, container, state, true)
		started.Started = new(sidecar)
		status.InitContainerStatuses = append(status.InitContainerStatuses, started)
	}
	for i := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, containerStatus(pod, &pod.Spec.Containers[i], up, true))
	}
	return status, nil
}

// podWaiting returns a status in which all containers wait: containers with unpullable images
// because of reason, the others because the Pod is being created.
func (s statuses) podWaiting(pod *corev1.Pod, reason string) (any, error) {
	status, err := s.podPlaced(pod)
	if err != nil {
		return nil, err
	}
	status.Phase = cmp.Or(pod.Status.Phase, corev1.PodPending)
	others := "ContainerCreating"
	if len(pod.Spec.InitContainers) > 0 {
		others = "PodInitializing"
	}
	waiting := func(containers []corev1.Container) (all []corev1.ContainerStatus, names []string) {
		for i := range containers {
			container := &containers[i]
			why := &corev1.ContainerStateWaiting{Reason: others}
			if strings.HasPrefix(container.Image, unpullable) {
				why = &corev1.ContainerStateWaiting{Reason: reason, Message: pullProblem(reason, container.Image)}
			}
			all = append(all, containerStatus(pod, container, corev1.ContainerState{Waiting: why}, false))
			names = append(names, container.Name)
		}
		return all, names
	}
	status.InitContainerStatuses, _ = waiting(pod.Spec.InitContainers)
	var names []string
	status.ContainerStatuses, names = waiting(pod.Spec.Containers)
	status.Conditions = s.podConditions(pod, "ContainersNotReady", fmt.Sprintf("containers with unready status: %v", names))
	return status, nil
}

func pullProblem(reason, image string) string {
	if reason == reasonBackOff {
		return fmt.Sprintf("Back-off pulling image %q: %s: %s", image, reasonPullFailed, pullMessage)
	}
	return fmt.Sprintf("failed to pull image %q: %s", image, pullMessage)
}

// podEnded returns a status in which all containers are terminated. Containers that were not
// terminated before get the exit code and the reason.
func (s statuses) podEnded(pod *corev1.Pod, phase corev1.PodPhase, code int32, reason string) any {
	status := corev1.PodStatus{Phase: phase, ObservedGeneration: pod.Generation}
	conditionReason := "PodCompleted"
	if phase == corev1.PodFailed {
		conditionReason = "PodFailed"
	}
	status.Conditions = s.podConditions(pod, conditionReason, "")
	end := func(containers []corev1.ContainerStatus) []corev1.ContainerStatus {
		for i := range containers {
			container := &containers[i]
			if container.State.Terminated != nil {
				continue
			}
			ended := &corev1.ContainerStateTerminated{
				ExitCode: code, Reason: reason, FinishedAt: metav1.NewTime(s.now()), ContainerID: container.ContainerID,
			}
			if run := container.State.Running; run != nil {
				ended.StartedAt = run.StartedAt
			}
			container.State = corev1.ContainerState{Terminated: ended}
			container.Ready, container.Started = false, new(false)
		}
		return containers
	}
	status.InitContainerStatuses = end(pod.Status.InitContainerStatuses)
	status.ContainerStatuses = end(pod.Status.ContainerStatuses)
	return status
}
