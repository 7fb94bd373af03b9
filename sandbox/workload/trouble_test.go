package workload

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTrouble(t *testing.T) {
	t.Parallel()
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 3}}
	loop := func(pause string) corev1.ContainerState {
		return waiting("CrashLoopBackOff", "back-off "+pause+" restarting failed container=c pod=p")
	}
	last := corev1.ContainerState{Terminated: ended.Terminated}
	for _, test := range []struct {
		name, want, container string
		stuck, hopeless       bool
		status                corev1.PodStatus
	}{
		{"image not loaded", "container c: ErrImageNeverPull: not present", "", true, true, containers(corev1.ContainerStatus{Name: "c", State: waiting("ErrImageNeverPull", "not present")})},
		{"image name", "container c: InvalidImageName", "", true, true, containers(corev1.ContainerStatus{Name: "c", State: waiting("InvalidImageName", "")})},
		{"image not pulled", "container c: ErrImagePull: not found", "", true, false, containers(corev1.ContainerStatus{Name: "c", State: waiting("ErrImagePull", "not found")})},
		{"image not pulled again", "container c: ImagePullBackOff: Back-off pulling image", "", true, false, containers(corev1.ContainerStatus{Name: "c", State: waiting("ImagePullBackOff", "Back-off pulling image")})},
		{"bad user", "container c: CreateContainerConfigError", "", true, false, containers(corev1.ContainerStatus{Name: "c", State: waiting("CreateContainerConfigError", "")})},
		{"bad command", "container c: CreateContainerError: no such file", "", true, false, containers(corev1.ContainerStatus{Name: "c", State: waiting("CreateContainerError", "no such file")})},
		{"starts", "container c: ContainerCreating", "", false, false, containers(corev1.ContainerStatus{Name: "c", State: waiting("ContainerCreating", "")})},
		{"crashed twice", "container c: CrashLoopBackOff: exit code 3", "c", true, false, containers(corev1.ContainerStatus{Name: "c", State: loop("20s"), LastTerminationState: last})},
		{"crashes", "container c: CrashLoopBackOff: exit code 3", "c", true, true, containers(corev1.ContainerStatus{Name: "c", State: loop("40s"), LastTerminationState: last})},
		{"crashes for long", "container c: CrashLoopBackOff: exit code 3", "c", true, true, containers(corev1.ContainerStatus{Name: "c", State: loop("5m0s"), LastTerminationState: last})},
		{"crashed", "container c: Error: exit code 3", "c", true, false, containers(corev1.ContainerStatus{Name: "c", State: ended})},
		{"an init container crashes", "container i: CrashLoopBackOff: exit code 3", "i", true, true, corev1.PodStatus{
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "i", State: loop("40s"), LastTerminationState: last}},
			ContainerStatuses:     []corev1.ContainerStatus{{Name: "c", State: waiting("PodInitializing", "")}}}},
		{"fails its probe", "container c: running, readiness probe not passed", "c", false, false, containers(corev1.ContainerStatus{Name: "c", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})},
		{"fine", "", "", false, false, containers(corev1.ContainerStatus{Name: "c", Ready: true})},
		{"no node", "Unschedulable: 0/1 nodes", "", true, false, corev1.PodStatus{Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes"}}}},
		{"no volume", "Unschedulable: pod has unbound immediate PersistentVolumeClaims. not found; remove the class of the storage from the object, so that the default class of the cluster applies", "", true, false, corev1.PodStatus{Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "pod has unbound immediate PersistentVolumeClaims. not found"}}}},
		{"no room", "OutOfpods: Node has no room", "", true, false, corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfpods", Message: "Node has no room"}},
		{"new", "phase Pending, no container yet", "", false, false, corev1.PodStatus{Phase: corev1.PodPending}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := troubleOf(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: test.status})
			if got.text != test.want || got.container != test.container || got.stuck != test.stuck || got.hopeless != test.hopeless {
				t.Errorf("troubleOf() = %+v, want %+v", got, test)
			}
		})
	}
}

func containers(statuses ...corev1.ContainerStatus) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: statuses}
}
