package workload

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/operator-tracing/sandbox/sandbox/apply"
)

func TestParseFailOpen(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		metrics string
		want    map[string]int
	}{
		"nothing": {"", map[string]int{}},
		"both types of a webhook, and another": {
			"# TYPE apiserver_admission_webhook_fail_open_count counter\n" +
				`apiserver_admission_webhook_fail_open_count{name="a.example.com",type="admit"} 2` + "\n" +
				`apiserver_admission_webhook_fail_open_count{name="a.example.com",type="validating"} 1` + "\n" +
				`apiserver_admission_webhook_fail_open_count{name="b.example.com",type="admit"} 1e+03` + "\n",
			map[string]int{"a.example.com": 3, "b.example.com": 1000},
		},
		"no failure":     {`apiserver_admission_webhook_fail_open_count{name="a",type="admit"} 0`, map[string]int{}},
		"another metric": {`apiserver_admission_webhook_rejection_count{name="a",type="admit"} 4`, map[string]int{}},
		"no number":      {`apiserver_admission_webhook_fail_open_count{name="a",type="admit"} x`, map[string]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, parseFailOpen([]byte(test.metrics))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestIgnoredNotices(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		now, before map[string]int
		want        string
	}{
		"the checks of up":              {map[string]int{"a": 3}, map[string]int{"a": 3}, ""},
		"a failure after up":            {map[string]int{"a": 4}, map[string]int{"a": 3}, "ignored 1 failure of the webhook a"},
		"a restart of the API server":   {map[string]int{"a": 2}, map[string]int{"a": 3}, "ignored 2 failures of the webhook a"},
		"a record of an older version":  {map[string]int{"a": 2}, nil, "ignored 2 failures of the webhook a"},
		"another webhook in the record": {map[string]int{"a": 2}, map[string]int{"b": 3}, "ignored 2 failures of the webhook a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(ignoredNotices(test.now, test.before), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("ignoredNotices(%v, %v) = %q, want %q", test.now, test.before, got, test.want)
			}
		})
	}
}

func FuzzParseFailOpen(f *testing.F) {
	f.Add([]byte(`apiserver_admission_webhook_fail_open_count{name="a",type="admit"} 1`))
	f.Fuzz(func(_ *testing.T, metrics []byte) { parseFailOpen(metrics) })
}

// testNotices has Pods for which there is no room, and a webhook that does not answer.
func testNotices(t *testing.T, c *apply.Cluster) {
	t.Parallel()
	for i, status := range []corev1.PodStatus{
		{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes: Too many pods"}}},
		{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes: Too many pods"}}},
		{Phase: corev1.PodPending},
		{Phase: corev1.PodFailed, Reason: "OutOfpods", Message: "Node has no room"},
		{Phase: corev1.PodFailed, Reason: "Evicted"},
	} {
		createPod(t, c, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("homeless-%d", i)}}, status)
	}
	url, ignore, none := "https://127.0.0.1:1/", admissionregistrationv1.Ignore, admissionregistrationv1.SideEffectClassNone
	webhook := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "lenient", Labels: c.LabelsOf("lenient")},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "lenient.example.com", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url}, FailurePolicy: &ignore, SideEffects: &none,
			AdmissionReviewVersions: []string{"v1"}, ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"lenient": "yes"}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
			}},
		}},
	}
	if err := c.Client().Create(t.Context(), webhook); err != nil {
		t.Fatal(err)
	}
	want, err := watchLenient(t.Context(), c, "lenient")
	if err != nil {
		t.Fatal(err)
	}
	if err := want(); err != nil {
		t.Errorf("before a request: %v", err)
	}
	err = apply.Poll(t.Context(), "waiting for an ignored failure", func(ctx context.Context) error { // The API server caches webhooks.
		obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "a-", Labels: map[string]string{"lenient": "yes"}}}
		if err := c.Client().Create(ctx, obj, client.DryRunAll); err != nil {
			return err
		}
		ignored, err := IgnoredFailures(ctx, c)
		if err == nil && ignored["lenient.example.com"] == 0 {
			err = fmt.Errorf("ignored failures: %v", ignored)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := want(); err == nil || !strings.Contains(err.Error(), "lenient.example.com of the lenient does not answer") {
		t.Errorf("after a request: %v", err)
	}
	notices, err := Notices(t.Context(), c, map[string]int{"lenient.example.com": 1_000})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(notices, "\n")
	for _, want := range []string{
		"no room for 2 Pods: Unschedulable: 0/1 nodes: Too many pods", "no room for 1 Pod: OutOfpods: Node has no room",
		"of the webhook lenient.example.com (failurePolicy: Ignore)",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("Notices() = %q, want %q", notices, want)
		}
	}
}

// testExplain waits for Pods that crash, of the present and of an earlier template.
func testExplain(t *testing.T, c *apply.Cluster) {
	t.Parallel()
	for name, test := range map[string]struct {
		revision string
		waiting  corev1.ContainerStateWaiting
		want     string // a part of the error with which Explain ends the wait
		report   string
	}{
		"loop":      {"2", corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 40s restarting failed container"}, "CrashLoopBackOff: exit code 1", ""},
		"old":       {"1", corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 40s restarting failed container"}, "", "CrashLoopBackOff: exit code 1"},
		"no-image":  {"2", corev1.ContainerStateWaiting{Reason: "ErrImageNeverPull", Message: "not present"}, "ErrImageNeverPull: not present", ""},
		"pulls":     {"2", corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "not found"}, "", "ImagePullBackOff: not found"},
		"no-config": {"2", corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: "no ConfigMap"}, "", "CreateContainerConfigError: no ConfigMap"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod, status := deployed(t, c, name, test.revision, test.waiting)
			reported := make(chan string, 100)
			end := fmt.Errorf("the end of the wait")
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := Explain(ctx, c, name, func(format string, args ...any) { reported <- fmt.Sprintf(format, args...) }, func(ctx context.Context) error {
				said := "" // A hopeless Pod ends ctx, maybe before its report.
				select {
				case said = <-reported:
				case <-ctx.Done():
				}
				if last := status.ContainerStatuses[0].LastTerminationState.Terminated; last != nil { // It crashes during the wait.
					last.ContainerID = "containerd://2"
					pod.Status = status
					if err := c.Client().Status().Update(ctx, pod); err != nil {
						return err
					}
				}
				if test.want != "" {
					<-ctx.Done()
					return ctx.Err()
				}
				if !strings.Contains(said, test.report) {
					t.Errorf("reported %q, want %q", said, test.report)
				}
				return end
			})
			want := test.want
			if want == "" {
				want = end.Error()
			}
			if err == nil || !strings.Contains(err.Error(), want) || ctx.Err() != nil {
				t.Errorf("Explain() = %v, want %q", err, want)
			}
		})
	}
}

// testEnded deletes a Pod that has a grace period, and one whose grace period is over.
func testEnded(t *testing.T, c *apply.Cluster) {
	t.Parallel()
	for name, test := range map[string]struct {
		grace   time.Duration
		deleted bool
		want    string
	}{
		"runs":      {},
		"ending":    {time.Hour, true, "pod default/explain-ending of the previous version is still ending"},
		"long-gone": {time.Second, true, ""},
	} {
		pod, _ := deployed(t, c, name, "1", corev1.ContainerStateWaiting{})
		if test.deleted {
			bind(t, c, pod)
			if err := c.Client().Delete(t.Context(), pod, client.GracePeriodSeconds(int64(test.grace.Seconds()))); err != nil {
				t.Fatal(err)
			}
		}
		if name == "long-gone" {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := apply.Poll(ctx, "waiting for the end of the grace period", func(ctx context.Context) error { return Ended(ctx, c, name) })
			cancel()
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := Ended(t.Context(), c, name); (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
			t.Errorf("Ended(%s) = %v, want %q", name, err, test.want)
		}
	}
}

// bind assigns a Pod to a node without a kubelet: otherwise the API server deletes it at once.
func bind(t *testing.T, c *apply.Cluster, pod *corev1.Pod) {
	t.Helper()
	if err := c.Client().SubResource("binding").Create(t.Context(), pod, &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "none"}}); err != nil {
		t.Fatal(err)
	}
}

// deployed creates a Pod of a Deployment that is at revision 2.
func deployed(t *testing.T, c *apply.Cluster, name, revision string, waiting corev1.ContainerStateWaiting) (*corev1.Pod, corev1.PodStatus) {
	t.Helper()
	labels := map[string]string{"app": "explain-" + name}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "a"}}}}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "explain-" + name, Labels: c.LabelsOf(name), Annotations: map[string]string{"deployment.kubernetes.io/revision": "2"}},
		Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "explain-" + name, Annotations: map[string]string{"deployment.kubernetes.io/revision": revision}},
		Spec:       appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "explain-" + name, Labels: labels}}
	if err := c.Client().Create(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	deployment.Status.ObservedGeneration = deployment.Generation
	if err := c.Client().Status().Update(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	set.OwnerReferences = controlledBy(t, c, deployment)
	if err := c.Client().Create(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	pod.OwnerReferences = controlledBy(t, c, set)
	container := corev1.ContainerStatus{Name: "c", State: corev1.ContainerState{Waiting: &waiting}}
	if waiting.Reason == crashLoop {
		container.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 1, ContainerID: "containerd://1"}
	}
	return createPod(t, c, pod, containers(container)), containers(container)
}

func controlledBy(t *testing.T, c *apply.Cluster, owner client.Object) []metav1.OwnerReference {
	t.Helper()
	kind, err := apiutil.GVKForObject(owner, c.Client().Scheme())
	if err != nil {
		t.Fatal(err)
	}
	return []metav1.OwnerReference{*metav1.NewControllerRef(owner, kind)}
}

func createPod(t *testing.T, c *apply.Cluster, pod *corev1.Pod, status corev1.PodStatus) *corev1.Pod {
	t.Helper()
	pod.Namespace, pod.Spec.Containers = "default", []corev1.Container{{Name: "c", Image: "a"}}
	if err := c.Client().Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	pod.Status = status
	if err := c.Client().Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

func TestIsCrashing(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	run := func(restarts int32, reason string, before, ran, since time.Duration) corev1.ContainerStatus {
		s := corev1.ContainerStatus{RestartCount: restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(now.Add(-since))}}}
		end := now.Add(-before)
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{Reason: reason, StartedAt: metav1.NewTime(end.Add(-ran)), FinishedAt: metav1.NewTime(end)}
		return s
	}
	for name, test := range map[string]struct {
		status corev1.ContainerStatus
		want   bool
	}{
		"runs":                         {corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}, false},
		"waits for its restart":        {corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}, true},
		"waits for its image":          {corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}}}, false},
		"runs between crashes":         {run(5, "Error", 200*time.Second, time.Second, time.Second), true},
		"runs between out of memory":   {run(3, "OOMKilled", 50*time.Second, time.Minute, time.Second), true},
		"has crashed once":             {run(1, "Error", 10*time.Second, time.Second, time.Second), false},
		"has recovered":                {run(3, "Error", 3*time.Minute, time.Second, 2*time.Minute), false},
		"crashes with long pauses":     {run(30, "Error", 9*time.Minute, time.Second, 4*time.Minute), true},
		"had run for long":             {run(9, "Error", 20*time.Second, time.Hour, time.Second), false},
		"was ended with its node":      {run(9, "Unknown", 20*time.Second, time.Minute, time.Second), false},
		"has completed before its end": {run(9, "Completed", 20*time.Second, time.Minute, time.Second), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := isCrashing(test.status, now); got != test.want {
				t.Errorf("isCrashing() = %t, want %t", got, test.want)
			}
		})
	}
}
