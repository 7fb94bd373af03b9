package main

import (
	"encoding/json"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
	"sigs.k8s.io/kwok/pkg/utils/gotpl"
	"sigs.k8s.io/kwok/pkg/utils/lifecycle"
)

const goodImage = "registry.k8s.io/pause:3.10.2"

var (
	podKind  = internalversion.StageResourceRef{APIGroup: "v1", Kind: "Pod"}
	nodeKind = internalversion.StageResourceRef{APIGroup: "v1", Kind: "Node"}
	testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

func newPod(image string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod", Namespace: "default", UID: "uid", Generation: 1}}
	pod.Spec.Containers = []corev1.Container{{Name: "main", Image: image}}
	pod.Status.Phase = corev1.PodPending
	for _, c := range change {
		c(pod)
	}
	return pod
}

func isRunning(pod *corev1.Pod) {
	pod.Status.Phase = corev1.PodRunning
	pod.Status.ObservedGeneration = pod.Generation
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
}

func isWaiting(reason string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Status.ObservedGeneration = pod.Generation
		waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: waiting}}
	}
}

func isDeleted(pod *corev1.Pod) {
	pod.DeletionTimestamp = new(metav1.NewTime(testTime))
	pod.DeletionGracePeriodSeconds = new(int64(30))
	pod.Generation++
}

func isFinished(pod *corev1.Pod) { pod.Status.Phase = corev1.PodSucceeded }

func isChanged(pod *corev1.Pod) { pod.Generation++ }

func isOfJob(pod *corev1.Pod) {
	pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "job"}}
}

func isRemoved(pod *corev1.Pod) { pod.DeletionGracePeriodSeconds = new(int64(0)) }

func isMarkedNotReady(pod *corev1.Pod) { pod.Status.Conditions[0].Status = corev1.ConditionFalse }

func TestStagesOfPods(t *testing.T) {
	const bad = unpullable + "x:1"
	badInit := func(pod *corev1.Pod) { pod.Spec.InitContainers = []corev1.Container{{Name: "init", Image: bad}} }
	tests := map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"new":                           {newPod(goodImage), "pod-start"},
		"running":                       {newPod(goodImage, isRunning), ""},
		"running, changed":              {newPod(goodImage, isRunning, isChanged), "pod-start"},
		"running, marked not ready":     {newPod(goodImage, isRunning, isMarkedNotReady), "pod-start"},
		"running, deleted":              {newPod(goodImage, isRunning, isDeleted), "pod-stop"},
		"pending, deleted":              {newPod(goodImage, isDeleted), "pod-remove"},
		"finished":                      {newPod(goodImage, isRunning, isFinished), ""},
		"finished, changed":             {newPod(goodImage, isRunning, isFinished, isChanged), ""},
		"finished, deleted":             {newPod(goodImage, isRunning, isFinished, isDeleted), "pod-remove"},
		"finished, kept by a finalizer": {newPod(goodImage, isFinished, isDeleted, isRemoved), ""},
		"Job's, new":                    {newPod(goodImage, isOfJob), "pod-start"},
		"Job's, running":                {newPod(goodImage, isOfJob, isRunning), "pod-complete"},
		"Job's, finished":               {newPod(goodImage, isOfJob, isRunning, isFinished), ""},
		"Job's, running, deleted":       {newPod(goodImage, isOfJob, isRunning, isDeleted), "pod-stop"},
		"bad":                           {newPod(bad), "pod-pull-failed"},
		"bad init container":            {newPod(goodImage, badInit), "pod-pull-failed"},
		"bad, pull failed":              {newPod(bad, isWaiting(reasonPullFailed)), "pod-back-off"},
		"bad, backing off":              {newPod(bad, isWaiting(reasonBackOff)), ""},
		"bad, backing off, deleted":     {newPod(bad, isWaiting(reasonBackOff), isDeleted), "pod-remove"},
		"bad, fixed":                    {newPod(goodImage, isWaiting(reasonBackOff), isChanged), "pod-start"},
		"running, changed to bad":       {newPod(bad, isRunning, isChanged), "pod-pull-failed"},
		"no image":                      {newPod(""), "pod-start"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := matching(t, podKind, test.pod, test.pod.ObjectMeta); got != test.want {
				t.Errorf("matching stages = %q, want %q", got, test.want)
			}
		})
	}
}

func TestStagesOfNode(t *testing.T) {
	for status, want := range map[corev1.ConditionStatus]string{"": "node-ready", "True": "", "False": "node-ready", "Unknown": "node-ready"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}}
		if status != "" {
			node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}}
		}
		if got := matching(t, nodeKind, node, node.ObjectMeta); got != want {
			t.Errorf("matching stages with Ready=%q = %q, want %q", status, got, want)
		}
	}
}

// matching returns the concatenated names of all stages that match the object. At most one stage
// may match, because kwok selects one at random.
func matching(t *testing.T, kind internalversion.StageResourceRef, object any, meta metav1.ObjectMeta) string {
	t.Helper()
	all, err := lifecycle.NewLifecycle(stages()[kind])
	if err != nil {
		t.Fatal(err)
	}
	matching, err := all.ListAllPossible(t.Context(), &lifecycle.Event{Labels: meta.Labels, Annotations: meta.Annotations, Data: object})
	if err != nil {
		t.Fatal(err)
	}
	var names string
	for _, stage := range matching {
		names += stage.Name()
	}
	return names
}

// TestTemplates renders the templates of all stages, because an unknown function is detected only
// by rendering.
func TestTemplates(t *testing.T) {
	renderer := gotpl.NewRenderer(gotpl.FuncMap(newStatuses().functions()))
	for kind, all := range stages() {
		var object any = newPod(unpullable+"\"quoted\": #x", isRunning)
		if kind == nodeKind {
			object = &corev1.Node{}
		}
		for _, stage := range all {
			for _, step := range stage.Spec.Steps {
				if step.Patch == nil {
					continue
				}
				data, err := renderer.ToJSON(step.Patch.Template, object)
				if err != nil {
					t.Errorf("%s: %v", stage.Name, err)
				}
				if status := make(map[string]any); json.Unmarshal(data, &status) != nil || len(status) == 0 {
					t.Errorf("template of %s = %s, want a status", stage.Name, data)
				}
			}
		}
	}
}
