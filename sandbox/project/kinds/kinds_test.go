package kinds

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestCustom(t *testing.T) {
	t.Parallel()
	for group, want := range map[string]bool{
		"": false, "apps": false, "batch": false, "rbac.authorization.k8s.io": false, "networking.k8s.io": false, "apiextensions.k8s.io": false,
		"apiregistration.k8s.io": false, "admissionregistration.k8s.io": false, "internal.apiserver.k8s.io": false,
		"cache.example.com": true, "demo.k8s.io": true, "agents.x-k8s.io": true, "gateway.networking.k8s.io": true, "batch.tutorial.kubebuilder.io": true,
		"monitoring.coreos.com": true, "cert-manager.io": true,
	} {
		if got := Custom(group); got != want {
			t.Errorf("Custom(%q) = %t, want %t", group, got, want)
		}
	}
}

func object(apiVersion, kind, name, generateName string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	obj.SetName(name)
	obj.SetGenerateName(generateName)
	return obj
}

func TestSetNames(t *testing.T) {
	t.Parallel()
	objects := []*unstructured.Unstructured{
		object("v1", "A", "", "sample-"), object("v1", "A", "given", "sample-"), object("v1", "A", "", "sample-"), object("v1", "B", "", "b"),
	}
	SetNames(objects)
	var got []string
	for _, obj := range objects {
		got = append(got, obj.GetName())
	}
	if diff := cmp.Diff([]string{"sample-sandbox", "given", "sample-sandbox-2", "bsandbox"}, got); diff != "" || objects[0].GetGenerateName() != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	kind := func(group, kind string) schema.GroupKind { return schema.GroupKind{Group: group, Kind: kind} }
	objects := []*unstructured.Unstructured{
		object("monitoring.coreos.com/v1", "ServiceMonitor", "m", ""), object("monitoring.coreos.com/v1", "PodMonitor", "p", ""),
		object("batch/v1", "Job", "j", ""), object("other.example.com/v1", "Job", "o", ""), object("v1", "ConfigMap", "c", ""),
	}
	for name, test := range map[string]struct {
		skip    []schema.GroupKind
		defined map[schema.GroupKind]string
		want    []string
	}{
		"monitoring by default":   {nil, nil, []string{"m", "p"}},
		"unless it is defined":    {nil, map[schema.GroupKind]string{kind("monitoring.coreos.com", "PodMonitor"): ""}, []string{"m"}},
		"a kind of one group":     {[]schema.GroupKind{kind("other.example.com", "Job")}, nil, []string{"m", "p", "o"}},
		"a defined kind if asked": {[]schema.GroupKind{kind("monitoring.coreos.com", "PodMonitor")}, map[schema.GroupKind]string{kind("monitoring.coreos.com", "PodMonitor"): ""}, []string{"m", "p"}},
		"the core group":          {[]schema.GroupKind{kind("", "ConfigMap")}, nil, []string{"m", "p", "c"}},
	} {
		kept, skipped := Split(objects, test.skip, test.defined)
		var got []string
		for _, obj := range skipped {
			got = append(got, obj.GetName())
		}
		if diff := cmp.Diff(test.want, got); diff != "" || len(kept)+len(skipped) != len(objects) {
			t.Errorf("%s: skipped (-want +got):\n%s", name, diff)
		}
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	in := func(namespace string) *unstructured.Unstructured {
		obj := object("v1", "ConfigMap", "c", "")
		obj.SetNamespace(namespace)
		return obj
	}
	for name, test := range map[string]struct {
		objects []*unstructured.Unstructured
		want    []string
	}{
		"nothing":                   {nil, nil},
		"no namespace":              {[]*unstructured.Unstructured{in("")}, nil},
		"one of every cluster":      {[]*unstructured.Unstructured{in("default"), in("kube-system")}, nil},
		"one of a component":        {[]*unstructured.Unstructured{in("cert-manager")}, nil},
		"one that is defined":       {[]*unstructured.Unstructured{in("own"), object("v1", "Namespace", "own", "")}, nil},
		"another kind of Namespace": {[]*unstructured.Unstructured{in("own"), object("a.example.com/v1", "Namespace", "own", "")}, []string{"own"}},
		"several":                   {[]*unstructured.Unstructured{in("b"), in("a"), in("b")}, []string{"b", "a"}},
	} {
		var got []string
		for _, obj := range Namespaces(test.objects) {
			if obj.GetAPIVersion() != "v1" || obj.GetKind() != "Namespace" {
				t.Errorf("%s: Namespaces returns a %s %s", name, obj.GetAPIVersion(), obj.GetKind())
			}
			got = append(got, obj.GetName())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: Namespaces() = %v, want %v", name, got, test.want)
		}
	}
}
