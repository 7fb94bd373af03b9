package install

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/operator-tracing/sandbox/config"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	objects, err := config.Decode(text)
	if err != nil || len(objects) != 1 {
		t.Fatalf("decode: %d objects, %v", len(objects), err)
	}
	return objects[0]
}

func TestReadyNow(t *testing.T) {
	const deployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, generation: 2}, spec: {replicas: 1}, status: `
	for _, test := range []struct{ name, text, want string }{
		{"rolled out", deployment + `{observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1, conditions: [
			{type: Available, status: "True"}, {type: Progressing, status: "True", reason: NewReplicaSetAvailable}]}}`, ""},
		{"old generation", deployment + `{observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1}}`, "generation"},
		{"no Pod ready", deployment + `{observedGeneration: 2, replicas: 1, updatedReplicas: 1, conditions: [
			{type: Progressing, status: "True", reason: ReplicaSetUpdated, lastTransitionTime: "2026-01-01T00:00:00Z"},
			{type: Available, status: "False", reason: MinimumReplicasUnavailable, message: none, lastTransitionTime: "2026-01-01T00:00:01Z"}]}}`,
			"Available: 0/1; condition Available=False (MinimumReplicasUnavailable): none"},
		{"past its deadline", deployment + `{observedGeneration: 2, conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded}]}}`, "Progress deadline exceeded"},
		{"no status to have", `{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}`, ""},
		{"kind not established", `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x}}`, "Install in progress"},
		{"certificate", `{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: x}, status: {conditions: [{type: Ready, status: "False", reason: DoesNotExist}]}}`,
			"condition Ready=False (DoesNotExist)"},
	} {
		t.Run(test.name, func(t *testing.T) { checkError(t, Ready(object(t, test.text)), test.want) })
	}
}

func TestReadyNowOfHead(t *testing.T) {
	const head = `{apiVersion: dummy.example.com/v1alpha1, kind: Head, metadata: {name: h, generation: 2}`
	for _, test := range []struct{ name, text, want string }{
		{"ready", head + `, status: {observedGeneration: 2, conditions: [{type: Ready, status: "True", observedGeneration: 2}]}}`, ""},
		{"untouched", head + `}`, "no condition Ready"},
		{"ready before the change", head + `, status: {observedGeneration: 1, conditions: [{type: Ready, status: "True", observedGeneration: 1}]}}`, "generation"},
		{"condition before the change", head + `, status: {observedGeneration: 2, conditions: [{type: Ready, status: "True", observedGeneration: 1}]}}`, "Ready is of generation 1, the object is at 2"},
		{"ready, status of the old generation", head + `, status: {observedGeneration: 1, conditions: [{type: Ready, status: "True"}]}}`, "generation"},
		{"not ready", head + `, status: {conditions: [{type: Ready, status: "False", reason: ChildNotReady, message: waits}]}}`, "Ready=False (ChildNotReady): waits"},
	} {
		t.Run(test.name, func(t *testing.T) { checkError(t, Ready(object(t, test.text)), test.want) })
	}
}

// checkError wants no error if want is empty, and else one that contains it.
func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestPhases(t *testing.T) {
	for _, test := range []struct {
		apiVersion, kind string
		want             int
	}{
		{"apiextensions.k8s.io/v1", "CustomResourceDefinition", phaseDefinitions},
		{"v1", "Namespace", phaseNamespaces},
		{"v1", "ServiceAccount", phaseSupport},
		{"rbac.authorization.k8s.io/v1", "ClusterRole", phaseSupport},
		{"policy/v1", "PodDisruptionBudget", phaseSupport},
		{"cert-manager.io/v1", "Certificate", phaseCustom},
		{"dummy.example.com/v1alpha1", "Head", phaseCustom},
		{"apps/v1", "Deployment", phaseWorkloads},
		{"admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", phaseWorkloads},
		{"v1", "Pod", phaseWorkloads},
	} {
		obj := &unstructured.Unstructured{}
		obj.SetAPIVersion(test.apiVersion)
		obj.SetKind(test.kind)
		if got := phaseOf(obj); got != test.want {
			t.Errorf("phase of %s %s = %d, want %d", test.apiVersion, test.kind, got, test.want)
		}
	}
}

func TestPasses(t *testing.T) {
	gr := schema.GroupResource{Group: "g", Resource: "rs"}
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"kind not discovered", &meta.NoKindMatchError{GroupKind: schema.GroupKind{Kind: "K"}}, true},
		{"path not served", apierrors.NewGenericServerResponse(404, "patch", gr, "", "", 0, false), true},
		{"namespace missing", apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "n"), false},
		{"webhook down", apierrors.NewInternalError(errors.New(`failed calling webhook "w": connection refused`)), true},
		{"server broken", apierrors.NewInternalError(errors.New("etcd: no space")), false},
		{"denied", apierrors.NewForbidden(gr, "n", errors.New("no")), false},
		{"invalid", apierrors.NewInvalid(schema.GroupKind{Kind: "K"}, "n", nil), false},
		{"starting", apierrors.NewServiceUnavailable("starting"), true},
		{"busy", apierrors.NewTooManyRequests("later", 1), true},
		{"nothing known", errors.New("x"), false},
	} {
		if got := passes(test.err); got != test.want {
			t.Errorf("%s: passes(%v) = %v, want %v", test.name, test.err, got, test.want)
		}
	}
}

func TestTrouble(t *testing.T) {
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
			text, container := trouble(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: test.status})
			if text != test.want || container != test.container {
				t.Errorf("trouble = %q, container %q; want %q, %q", text, container, test.want, test.container)
			}
		})
	}
}

func containers(statuses ...corev1.ContainerStatus) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: statuses}
}
