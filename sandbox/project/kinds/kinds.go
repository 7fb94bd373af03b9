// Package kinds divides the kinds of manifests into Kubernetes' own kinds and custom kinds, and
// finds their scopes.
package kinds

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// aggregated are groups of the API server itself that are not in the scheme of client-go.
var aggregated = []string{"apiextensions.k8s.io", "apiregistration.k8s.io"}

// Custom reports whether a group belongs to CustomResourceDefinitions. The name of a group does not
// decide: users define kinds in groups that end in k8s.io, too.
func Custom(group string) bool {
	return !scheme.Scheme.IsGroupRegistered(group) && !slices.Contains(aggregated, group)
}

// Definitions returns the scopes of the kinds that CustomResourceDefinitions define.
func Definitions(objects []*unstructured.Unstructured) map[schema.GroupKind]string {
	defined := map[schema.GroupKind]string{}
	for _, obj := range objects {
		if obj.GetKind() == "CustomResourceDefinition" {
			group, _, _ := unstructured.NestedString(obj.Object, "spec", "group")
			kind, _, _ := unstructured.NestedString(obj.Object, "spec", "names", "kind")
			defined[schema.GroupKind{Group: group, Kind: kind}], _, _ = unstructured.NestedString(obj.Object, "spec", "scope")
		}
	}
	return defined
}

// New returns an object without content. The namespace can be empty.
func New(kind schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(kind)
	obj.SetNamespace(namespace)
	obj.SetName(name)
	return obj
}

// Maps returns the maps in a list of an object. Changes to them change the object.
func Maps(object map[string]any, fields ...string) (maps []map[string]any) {
	field, _, _ := unstructured.NestedFieldNoCopy(object, fields...)
	list, _ := field.([]any)
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			maps = append(maps, m)
		}
	}
	return maps
}

// SetNamespaces sets the namespace of namespaced objects without one. It uses the scopes of
// definitions, then the scopes of Kubernetes' own kinds. Unknown kinds are treated as namespaced,
// because most are.
func SetNamespaces(objects []*unstructured.Unstructured, namespace string, defined map[schema.GroupKind]string) {
	for _, obj := range objects {
		if obj.GetNamespace() == "" && namespaced(obj, defined) {
			obj.SetNamespace(namespace)
		}
	}
}

func namespaced(obj *unstructured.Unstructured, defined map[schema.GroupKind]string) bool {
	gvk := obj.GroupVersionKind()
	if scope, found := defined[gvk.GroupKind()]; found {
		return scope != "Cluster"
	}
	namespaced, known := openapi.IsNamespaceScoped(yaml.TypeMeta{APIVersion: obj.GetAPIVersion(), Kind: gvk.Kind})
	return namespaced || !known && gvk.Kind != "ClusterIssuer"
}

// provided are namespaces of every cluster.
var provided = []string{metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease}

var namespaceKind = corev1.SchemeGroupVersion.WithKind("Namespace")

// Namespaces returns the Namespaces that objects are in and that are neither among the objects, nor
// in every cluster, nor of a component of the sandbox. Users create them by hand before they apply
// such manifests. It requires the namespaces that [SetNamespaces] sets.
func Namespaces(objects []*unstructured.Unstructured) (missing []*unstructured.Unstructured) {
	known := slices.Clone(provided)
	for _, c := range component.All() {
		known = append(known, c.Namespace)
	}
	for _, obj := range objects {
		if obj.GroupVersionKind() == namespaceKind {
			known = append(known, obj.GetName())
		}
	}
	for _, obj := range objects {
		if name := obj.GetNamespace(); name != "" && !slices.Contains(known, name) {
			known = append(known, name)
			missing = append(missing, New(namespaceKind, "", name))
		}
	}
	return missing
}

// SetNames replaces generateName by a name, which every apply of the same manifests finds again:
// sample- becomes sample-sandbox, then sample-sandbox-2.
func SetNames(objects []*unstructured.Unstructured) {
	used := map[string]int{}
	for _, obj := range objects {
		if obj.GetName() != "" {
			continue
		}
		name := obj.GetGenerateName() + "sandbox"
		if used[name]++; used[name] > 1 {
			name += "-" + strconv.Itoa(used[name])
		}
		obj.SetName(name)
		obj.SetGenerateName("")
	}
}

// monitoring is the group of the Prometheus operator. Many operators have objects of its kinds
// beside their own, and work without them.
const monitoring = "monitoring.coreos.com"

// Split separates objects to skip: objects of the given kinds, and of the Prometheus operator's
// kinds if the manifests do not define them.
func Split(objects []*unstructured.Unstructured, skip []schema.GroupKind, defined map[schema.GroupKind]string) (kept, skipped []*unstructured.Unstructured) {
	for _, obj := range objects {
		kind := obj.GroupVersionKind().GroupKind()
		if _, found := defined[kind]; slices.Contains(skip, kind) || kind.Group == monitoring && !found {
			skipped = append(skipped, obj)
			continue
		}
		kept = append(kept, obj)
	}
	return kept, skipped
}
