package kinds_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/kinds"
)

// TestKinds finds kinds by the names that kubectl accepts.
func TestKinds(t *testing.T) {
	t.Parallel()
	manifests := applytest.Manifests(t)
	c, err := apply.NewCluster(applytest.Start(t), manifests.Subject())
	if err != nil {
		t.Fatal(err)
	}
	definitions, _, _ := apply.Split(manifests.Objects)
	if err := apply.Apply(t.Context(), c, definitions); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		kind       string
		namespaced bool
	}{
		"configmap": {"/v1, Kind=ConfigMap", true}, "ConfigMap": {"/v1, Kind=ConfigMap", true}, "cm": {"/v1, Kind=ConfigMap", true},
		"deploy": {"apps/v1, Kind=Deployment", true}, "deployments.apps": {"apps/v1, Kind=Deployment", true},
		"deployments.v1.apps": {"apps/v1, Kind=Deployment", true}, "Deployment.v1.apps": {"apps/v1, Kind=Deployment", true},
		"ns":   {"/v1, Kind=Namespace", false},
		"head": {"dummy.example.com/v1alpha1, Kind=Head", true}, "heads": {"dummy.example.com/v1alpha1, Kind=Head", true},
		"heads.dummy.example.com": {"dummy.example.com/v1alpha1, Kind=Head", true},
	} {
		got, err := kinds.Called(t.Context(), c, name)
		if err != nil || got.GroupVersionKind.String() != want.kind || got.Namespaced != want.namespaced {
			t.Errorf("Called(%s) = %v, namespaced %t, %v, want %v", name, got.GroupVersionKind, got.Namespaced, err, want)
		}
	}
	for _, name := range []string{"hed", "deployments.example.com", "pods.v9"} {
		if got, err := kinds.Called(t.Context(), c, name); !meta.IsNoMatchError(err) {
			t.Errorf("Called(%s) = %v, %v, want no match", name, got, err)
		}
	}
	for kind, want := range map[schema.GroupVersionKind]string{
		{Group: "dummy.example.com", Version: "v1alpha1", Kind: "Head"}: "head", {Version: "v1", Kind: "ConfigMap"}: "configmap",
		// A kind of that name is in another group, too, or the API server does not serve it.
		{Group: "apps.example.com", Version: "v1", Kind: "Deployment"}: "deployment.apps.example.com",
		{Group: "other.example.com", Version: "v1", Kind: "Late"}:      "late.other.example.com",
	} {
		if got := kinds.NameOf(t.Context(), c, kind); got != want {
			t.Errorf("NameOf(%s) = %s, want %s", kind, got, want)
		}
	}
	if names := kinds.Names(c); !slices.Contains(names, "head") || !slices.Contains(names, "deployment") || !slices.IsSorted(names) {
		t.Errorf("Names() = %q", names)
	}
}
