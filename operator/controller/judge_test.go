package controller

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

func TestOwnedName(t *testing.T) {
	long := strings.Repeat("a", 253)
	dotted := strings.Repeat("a", 45) + "." + strings.Repeat("b", 100)
	for _, tc := range []struct{ owner, suffix, want string }{
		{"head", "-child-a", "head-child-a"},
		{"head", "", "head"},
		{strings.Repeat("a", 55), "-child-a", strings.Repeat("a", 55) + "-child-a"},
		{long, "", strings.Repeat("a", 54) + "-32859a3a"},
		// The name is cut behind the dot. A part of a name must not end in a dot.
		{dotted, "-child-a", strings.Repeat("a", 45) + "-12706545-child-a"},
	} {
		got := ownedName(tc.owner, tc.suffix)
		if got != tc.want {
			t.Errorf("ownedName(%q, %q) = %q, want %q", tc.owner, tc.suffix, got, tc.want)
		}
		if problems := validation.IsDNS1123Subdomain(got); len(problems) > 0 {
			t.Errorf("ownedName(%q, %q) = %q, an invalid object name: %v", tc.owner, tc.suffix, got, problems)
		}
		if problems := validation.IsValidLabelValue(got); len(problems) > 0 {
			t.Errorf("ownedName(%q, %q) = %q, an invalid label value: %v", tc.owner, tc.suffix, got, problems)
		}
	}
	if ownedName(long, "") == ownedName(long[1:], "") {
		t.Error("ownedName returned the same name for two long names with the same start")
	}
	if first, second := ownedName(long, ""), ownedName(long, ""); first != second {
		t.Error("ownedName returned two names for the same owner")
	}
}

func TestJudgeChild(t *testing.T) {
	child := func(image string, generation, observed, condition int64, status metav1.ConditionStatus) *v1alpha1.ChildA {
		return &v1alpha1.ChildA{
			ObjectMeta: metav1.ObjectMeta{Name: "c", Generation: generation},
			Spec:       v1alpha1.ChildASpec{Image: image},
			Status: v1alpha1.ReadyStatus{ObservedGeneration: observed, Conditions: []metav1.Condition{{
				Type: v1alpha1.ConditionReady, Status: status, ObservedGeneration: condition, Reason: "Why", Message: "because",
			}}},
		}
	}
	progressing := child("i", 2, 2, 2, metav1.ConditionFalse)
	progressing.Status.Conditions[0].Reason = v1alpha1.ReasonDeploymentProgressing
	notReady := func(message string) verdict {
		return verdict{reason: v1alpha1.ReasonChildNotReady, message: message}
	}
	for name, tc := range map[string]struct {
		child *v1alpha1.ChildA
		want  verdict
	}{
		"ready":                  {child("i", 2, 2, 2, metav1.ConditionTrue), verdict{true, v1alpha1.ReasonChildReady, "ChildA c is ready"}},
		"ready with other image": {child("old", 2, 2, 2, metav1.ConditionTrue), notReady("ChildA c has image old instead of i")},
		"ready at old status":    {child("i", 3, 2, 3, metav1.ConditionTrue), notReady("ChildA c is progressing to generation 3")},
		"ready at old condition": {child("i", 3, 3, 2, metav1.ConditionTrue), notReady("ChildA c is progressing to generation 3")},
		"not ready":              {child("i", 2, 2, 2, metav1.ConditionFalse), notReady("ChildA c: Why: because")},
		"progressing":            {progressing, notReady("ChildA c is progressing to generation 2")},
		"unknown":                {child("i", 2, 2, 2, metav1.ConditionUnknown), notReady("ChildA c: Why: because")},
		"never seen": {
			&v1alpha1.ChildA{ObjectMeta: metav1.ObjectMeta{Name: "c", Generation: 1}, Spec: v1alpha1.ChildASpec{Image: "i"}},
			notReady("ChildA c is progressing to generation 1"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, judgeChild(tc.child, "i"), cmp.AllowUnexported(verdict{})); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJudgeDeployment(t *testing.T) {
	failed := appsv1.DeploymentCondition{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "quota",
	}
	late := appsv1.DeploymentCondition{
		Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", Message: "too late",
	}
	fine := appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"}
	status := func(observed int64, replicas, updated, available int32, conditions ...appsv1.DeploymentCondition) appsv1.DeploymentStatus {
		return appsv1.DeploymentStatus{
			ObservedGeneration: observed, Replicas: replicas, UpdatedReplicas: updated, AvailableReplicas: available, Conditions: conditions,
		}
	}
	for name, tc := range map[string]struct {
		status  appsv1.DeploymentStatus
		ready   bool
		reason  string
		message string
	}{
		"available":                    {status(2, 1, 1, 1, fine), true, v1alpha1.ReasonDeploymentAvailable, " is available"},
		"available after a failure":    {status(2, 1, 1, 1, failed), true, v1alpha1.ReasonDeploymentAvailable, " is available"},
		"available, old generation":    {status(1, 1, 1, 1), false, v1alpha1.ReasonDeploymentProgressing, " is rolling out generation 2"},
		"nothing yet":                  {status(2, 0, 0, 0), false, v1alpha1.ReasonDeploymentProgressing, " is rolling out generation 2"},
		"only the old one":             {status(2, 1, 0, 1), false, v1alpha1.ReasonDeploymentProgressing, " is rolling out generation 2"},
		"old one beside the new one":   {status(2, 2, 1, 2), false, v1alpha1.ReasonDeploymentProgressing, " is rolling out generation 2"},
		"new one not available":        {status(2, 1, 1, 0), false, v1alpha1.ReasonDeploymentProgressing, " is rolling out generation 2"},
		"pods refused":                 {status(2, 0, 0, 0, failed), false, v1alpha1.ReasonDeploymentFailed, ": FailedCreate: quota"},
		"deadline passed":              {status(2, 1, 1, 0, fine, late), false, v1alpha1.ReasonDeploymentFailed, ": ProgressDeadlineExceeded: too late"},
		"failure of an old generation": {status(1, 0, 0, 0, failed), false, v1alpha1.ReasonDeploymentProgressing, " is rolling out generation 2"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: "d", Generation: 2},
				Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](1)},
				Status:     tc.status,
			}
			want := verdict{tc.ready, tc.reason, "Deployment d" + tc.message}
			if diff := cmp.Diff(want, judgeDeployment(d), cmp.AllowUnexported(verdict{})); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOverlayDeploymentLeavesOthersFieldsAlone(t *testing.T) {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "d"}}
	overlayDeployment(d, "image:1")
	d.Annotations = map[string]string{"mine": "yes"}
	d.Labels["mine"] = "yes"
	d.Spec.RevisionHistoryLimit = ptr.To[int32](10)
	d.Spec.Template.Annotations = map[string]string{"kubectl.kubernetes.io/restartedAt": "now"}
	d.Spec.Template.Spec.DNSPolicy = corev1.DNSClusterFirst
	d.Spec.Template.Spec.Containers[0].TerminationMessagePath = "/dev/termination-log"
	d.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{}
	stored := d.DeepCopy()

	overlayDeployment(d, "image:1")
	if diff := cmp.Diff(stored, d); diff != "" {
		t.Errorf("an overlay with equal values changed other fields (-stored +overlaid):\n%s", diff)
	}
	overlayDeployment(d, "image:2")
	if got := d.Spec.Template.Spec.Containers[0].Image; got != "image:2" {
		t.Errorf("image = %q, want image:2", got)
	}
	if stored.Spec.Template.Spec.Containers[0].Image != "image:1" {
		t.Error("the overlay changed a container that it does not own")
	}
}

func TestOverlayDeploymentRunsOrdinaryImages(t *testing.T) {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "d"}}
	overlayDeployment(d, "image:1")
	pod := d.Spec.Template
	if pod.Spec.SecurityContext != nil {
		t.Errorf("the pod has a security context, which may forbid the image's own user: %v", pod.Spec.SecurityContext)
	}
	if c := pod.Spec.Containers[0].SecurityContext; c.RunAsNonRoot != nil || c.RunAsUser != nil || c.ReadOnlyRootFilesystem != nil {
		t.Errorf("the container's security context breaks ordinary images: %v", c)
	}
	if len(pod.Annotations) > 0 {
		t.Errorf("the pod template has annotations: %v", pod.Annotations)
	}
}
