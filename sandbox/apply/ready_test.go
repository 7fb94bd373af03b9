package apply

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
)

func TestReady(t *testing.T) {
	t.Parallel()
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
		{"kind without status", `{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}`, ""},
		{"kind not established", `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x}}`, "Install in progress"},
		{"certificate", `{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: x}, status: {conditions: [{type: Ready, status: "False", reason: DoesNotExist}]}}`,
			"condition Ready=False (DoesNotExist)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			applytest.CheckError(t, Ready(applytest.Object(t, test.text)), test.want)
		})
	}
}

func TestReadyCustomResource(t *testing.T) {
	t.Parallel()
	const head = `{apiVersion: dummy.example.com/v1alpha1, kind: Head, metadata: {name: h, generation: 2}`
	for _, test := range []struct{ name, text, want string }{
		{"ready", head + `, status: {observedGeneration: 2, conditions: [{type: Ready, status: "True", observedGeneration: 2}]}}`, ""},
		{"no status", head + `}`, "no condition Ready"},
		{"ready before the change", head + `, status: {observedGeneration: 1, conditions: [{type: Ready, status: "True", observedGeneration: 1}]}}`, "generation"},
		{"condition before the change", head + `, status: {observedGeneration: 2, conditions: [{type: Ready, status: "True", observedGeneration: 1}]}}`, "condition Ready is for generation 1, the object has generation 2"},
		{"ready, status of the old generation", head + `, status: {observedGeneration: 1, conditions: [{type: Ready, status: "True"}]}}`, "generation"},
		{"not ready", head + `, status: {conditions: [{type: Ready, status: "False", reason: ChildNotReady, message: waits}]}}`, "InProgress: condition Ready=False (ChildNotReady): waits"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			applytest.CheckError(t, Ready(applytest.Object(t, test.text)), test.want)
		})
	}
}

func TestPhaseOf(t *testing.T) {
	t.Parallel()
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
		{"demo.k8s.io/v1", "Cache", phaseCustom},
		{"rbac.authorization.k8s.io/v1", "Role", phaseSupport},
	} {
		obj := &unstructured.Unstructured{}
		obj.SetAPIVersion(test.apiVersion)
		obj.SetKind(test.kind)
		if got := phaseOf(obj); got != test.want {
			t.Errorf("phaseOf(%s %s) = %d, want %d", test.apiVersion, test.kind, got, test.want)
		}
	}
}

func TestTransient(t *testing.T) {
	t.Parallel()
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
		{"unknown", errors.New("x"), false},
	} {
		if got := Transient(test.err); got != test.want {
			t.Errorf("%s: Transient(%v) = %v, want %v", test.name, test.err, got, test.want)
		}
	}
}
