package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func newStatuses() statuses {
	none := func() (map[types.UID]netip.Addr, error) { return nil, nil }
	return statuses{addresses: newAddresses(podRange, none), now: func() time.Time { return testTime }}
}

func TestPodStarted(t *testing.T) {
	now := metav1.NewTime(testTime)
	pod := newPod(goodImage)
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}
	got, err := newStatuses().podStarted(pod)
	if err != nil {
		t.Fatal(err)
	}
	status := got.(corev1.PodStatus)
	condition := func(kind corev1.PodConditionType) corev1.PodCondition {
		return corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, ObservedGeneration: 1, LastTransitionTime: now}
	}
	want := corev1.PodStatus{
		ObservedGeneration: 1,
		Phase:              corev1.PodRunning,
		Conditions: []corev1.PodCondition{
			condition("PodReadyToStartContainers"), condition("Initialized"), condition("ContainersReady"), condition("Ready"),
		},
		HostIP: "127.0.0.1", HostIPs: []corev1.HostIP{{IP: "127.0.0.1"}},
		PodIP: "10.99.0.1", PodIPs: []corev1.PodIP{{IP: "10.99.0.1"}},
		StartTime: &now,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "main", Image: goodImage, ImageID: goodImage, Ready: true, Started: new(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}},
	}
	// Any id of the right form is valid. The subtest checks that the id changes.
	if id := status.ContainerStatuses[0].ContainerID; len(id) != len("kwok://")+64 || !strings.HasPrefix(id, "kwok://") {
		t.Errorf("ContainerID = %q, want kwok:// and 64 digits", id)
	} else {
		want.ContainerStatuses[0].ContainerID = id
	}
	if diff := cmp.Diff(want, status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}

	t.Run("image changes", func(t *testing.T) {
		before := status.ContainerStatuses[0]
		changed := newPod("registry.k8s.io/pause:3.10.1", isChanged)
		changed.Status = *status.DeepCopy()
		later := newStatuses()
		later.now = func() time.Time { return testTime.Add(time.Hour) }
		got, err := later.podStarted(changed)
		if err != nil {
			t.Fatal(err)
		}
		after := got.(corev1.PodStatus)
		container := after.ContainerStatuses[0]
		if container.RestartCount != 1 || container.ContainerID == before.ContainerID || container.State.Running.StartedAt == now {
			t.Errorf("container = %+v, want a restarted one", container)
		}
		if after.PodIP != status.PodIP || !after.StartTime.Equal(&now) || after.Conditions[3].LastTransitionTime != now {
			t.Errorf("status = %+v, want the address and times of the Pod unchanged", after)
		}
	})
}

func TestPodWaiting(t *testing.T) {
	pod := newPod(goodImage)
	pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "bad", Image: unpullable + "x:1"})
	reasons := make(map[string]string)
	for _, reason := range []string{reasonPullFailed, reasonBackOff} {
		got, err := newStatuses().podWaiting(pod, reason)
		if err != nil {
			t.Fatal(err)
		}
		status := got.(corev1.PodStatus)
		for _, container := range status.ContainerStatuses {
			reasons[reason] += container.State.Waiting.Reason + ": " + container.State.Waiting.Message + "; "
		}
		ready := status.Conditions[3]
		if ready.Status != corev1.ConditionFalse || ready.Message != "containers with unready status: [main bad]" {
			t.Errorf("%s: condition Ready = %+v, want False with the names of both containers", reason, ready)
		}
	}
	want := map[string]string{
		reasonPullFailed: `ContainerCreating: ; ErrImagePull: failed to pull image "invalid.example/x:1": the host invalid.example does not exist; `,
		reasonBackOff:    `ContainerCreating: ; ImagePullBackOff: Back-off pulling image "invalid.example/x:1": ErrImagePull: the host invalid.example does not exist; `,
	}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}
