package workload

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/apply"
)

// TestPatience looks at two Pods, a and b, at several minutes.
func TestPatience(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		looks map[time.Duration]string // the stuck Pods at a minute
		want  string                   // the Pods that are stuck for too long in the last look
	}{
		"stuck all the time":        {map[time.Duration]string{0: "a", 2: "a", 5: "a"}, "a"},
		"not long enough":           {map[time.Duration]string{0: "a", 4: "a"}, ""},
		"ready in between":          {map[time.Duration]string{0: "a", 3: "", 4: "a", 6: "a"}, ""},
		"another Pod in its place":  {map[time.Duration]string{0: "a", 3: "b", 6: "b"}, ""},
		"one of two Pods":           {map[time.Duration]string{0: "a", 3: "ab", 6: "ab"}, "a"},
		"ready at last":             {map[time.Duration]string{0: "a", 4: "a", 6: ""}, ""},
		"stuck again for long time": {map[time.Duration]string{0: "a", 1: "", 2: "a", 7: "a"}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p patience
			var got string
			minutes := make([]time.Duration, 0, len(test.looks))
			for minute := range test.looks {
				minutes = append(minutes, minute)
			}
			slices.Sort(minutes)
			for _, minute := range minutes {
				var found []trouble
				for _, pod := range "ab" {
					uid := types.UID(pod)
					found = append(found, trouble{pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: uid}}, text: string(uid), stuck: strings.ContainsRune(test.looks[minute], pod)})
				}
				got = describe(p.exhausted(time.Unix(0, 0).Add(minute*time.Minute), found), func(trouble) bool { return true })
			}
			if got != test.want {
				t.Errorf("exhausted() = %q, want %q", got, test.want)
			}
		})
	}
}

func TestDescribeManyPods(t *testing.T) {
	t.Parallel()
	found := make([]trouble, 200)
	for i := range found {
		found[i].text = fmt.Sprintf("pod %d", i)
	}
	if got, want := describe(found, func(trouble) bool { return true }), "pod 0\npod 1\npod 2\npod 3\npod 4\nand 195 more Pods"; got != want {
		t.Errorf("describe() = %q, want %q", got, want)
	}
}

// testStuck has Pods that are stuck for too long. A replaced Pod and one whose image is pulled again
// may recover.
func testStuck(t *testing.T, c *apply.Cluster) {
	t.Parallel()
	waiting := corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "not found"}
	for name, test := range map[string]struct {
		revision string
		events   []string // the reasons, oldest first
		want     string
	}{
		"late":          {"2", nil, "pod default/explain-late: stuck; no progress for 5m0s; correct the manifests of the operator, then run `"},
		"replaced":      {"1", nil, ""},
		"pulling-again": {"2", []string{"Pulling", "Failed", "BackOff", "Pulling", "Scheduled"}, ""},
		"failed-again":  {"2", []string{"Pulling", "Failed", "Pulling", "Failed"}, "pod default/explain-failed-again: stuck"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod, _ := deployed(t, c, name, test.revision, waiting)
			for i, reason := range test.events {
				event := &corev1.Event{
					ObjectMeta:     metav1.ObjectMeta{Namespace: pod.Namespace, Name: fmt.Sprintf("%s.%d", pod.Name, i)},
					InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
					Reason:         reason, LastTimestamp: metav1.NewTime(time.Unix(int64(i), 0)),
				}
				if err := c.Client().Create(t.Context(), event); err != nil {
					t.Fatal(err)
				}
			}
			text := fmt.Sprintf("pod %s/%s: stuck", pod.Namespace, pod.Name)
			err := stuckError(t.Context(), c, name, []trouble{{pod: pod, text: text, stuck: true}})
			if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("stuckError() = %v, want %q", err, test.want)
			}
		})
	}
}
