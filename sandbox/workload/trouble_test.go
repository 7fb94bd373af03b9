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
	for _, test := range []struct {
		name, want, container string
		status                corev1.PodStatus
	}{
		{"no image", "container c: ErrImageNeverPull: not present", "", containers(corev1.ContainerStatus{Name: "c", State: waiting("ErrImageNeverPull", "not present")})},
		{"bad user", "container c: CreateContainerConfigError", "", containers(corev1.ContainerStatus{Name: "c", State: waiting("CreateContainerConfigError", "")})},
		{"crashes", "container c: CrashLoopBackOff: exit code 3", "c", containers(corev1.ContainerStatus{Name: "c", State: waiting("CrashLoopBackOff", "back-off"), LastTerminationState: ended})},
		{"crashed", "container c: Error: exit code 3", "c", containers(corev1.ContainerStatus{Name: "c", State: ended})},
		{"fails its probe", "container c: running, readiness probe not passed", "c", containers(corev1.ContainerStatus{Name: "c", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})},
		{"fine", "", "", containers(corev1.ContainerStatus{Name: "c", Ready: true})},
		{"no node", "Unschedulable: 0/1 nodes", "", corev1.PodStatus{Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes"}}}},
		{"new", "phase Pending, no container yet", "", corev1.PodStatus{Phase: corev1.PodPending}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text, container := trouble(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: test.status})
			if text != test.want || container != test.container {
				t.Errorf("trouble() = %q, %q, want %q, %q", text, container, test.want, test.container)
			}
		})
	}
}

func containers(statuses ...corev1.ContainerStatus) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: statuses}
}
