package workload

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/operator-tracing/sandbox/sandbox/apply"
)

// testKindCalled finds kinds by the names that kubectl accepts.
func testKindCalled(t *testing.T, c *apply.Cluster) {
	t.Parallel()
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
		got, err := KindCalled(t.Context(), c, name)
		if err != nil || got.GroupVersionKind.String() != want.kind || got.Namespaced != want.namespaced {
			t.Errorf("KindCalled(%s) = %v, namespaced %t, %v, want %v", name, got.GroupVersionKind, got.Namespaced, err, want)
		}
	}
	for _, name := range []string{"hed", "deployments.example.com", "pods.v9"} {
		if got, err := KindCalled(t.Context(), c, name); !meta.IsNoMatchError(err) {
			t.Errorf("KindCalled(%s) = %v, %v, want no match", name, got, err)
		}
	}
	for kind, want := range map[schema.GroupVersionKind]string{
		{Group: "dummy.example.com", Version: "v1alpha1", Kind: "Head"}: "head", {Version: "v1", Kind: "ConfigMap"}: "configmap",
		// A kind of that name is in another group, too, or the API server does not serve it.
		{Group: "apps.example.com", Version: "v1", Kind: "Deployment"}: "deployment.apps.example.com",
		{Group: "other.example.com", Version: "v1", Kind: "Late"}:      "late.other.example.com",
	} {
		if got := NameOf(t.Context(), c, kind); got != want {
			t.Errorf("NameOf(%s) = %s, want %s", kind, got, want)
		}
	}
	if names := KindNames(c); !slices.Contains(names, "head") || !slices.Contains(names, "deployment") || !slices.IsSorted(names) {
		t.Errorf("KindNames() = %q", names)
	}
}
