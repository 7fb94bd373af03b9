package scaffold

import (
	"encoding/json"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/schemaconv"
	openapi "k8s.io/kube-openapi/pkg/validation/spec"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"

	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

// kind describes a custom kind in one version.
type kind struct {
	name  string
	score int // how certain the condition is: 3 a condition, 2 a field, 1 no state, 0 no controller
	// condition is the state that its objects reach, and why the origin of it.
	condition, why string
	order          int  // in PROJECT
	stored         bool // the version is the storage version
	// spec is the type of the spec; nil if it is unknown.
	spec *typed.ParseableType
}

// rejects reports whether the API server would reject an object because its spec has a field that
// the definition does not declare, or that has another type there.
func (k *kind) rejects(obj *unstructured.Unstructured) bool {
	if k.spec == nil || obj.Object["spec"] == nil {
		return false
	}
	_, err := k.spec.FromUnstructured(obj.Object["spec"])
	return err != nil
}

// typeOf returns the type of an OpenAPI schema as the API server uses it for server-side apply; nil
// if the schema is incomplete.
func typeOf(openAPI map[string]any) *typed.ParseableType {
	name := "spec"
	data, err := json.Marshal(openAPI)
	if err != nil || len(openAPI) == 0 {
		return nil
	}
	declared := &openapi.Schema{}
	if json.Unmarshal(data, declared) != nil {
		return nil
	}
	converted, err := schemaconv.ToSchemaFromOpenAPI(map[string]*openapi.Schema{name: declared}, false)
	if err != nil {
		return nil
	}
	return &typed.ParseableType{TypeRef: smd.TypeRef{NamedType: &name}, Schema: converted}
}

// kind returns the kind of an object. It returns nil if the manifests do not define it, or not in
// this version. If the manifests are invalid, every kind is treated as defined.
func (r *reader) kind(gvk schema.GroupVersionKind) *kind {
	k := &kind{name: gvk.Kind, stored: true, order: len(r.project.Resources)}
	for i, resource := range slices.Backward(r.project.Resources) {
		if resource.Kind == gvk.Kind && slices.Contains([]string{resource.Group, resource.Domain, resource.Group + "." + resource.Domain}, gvk.Group) {
			k.order = i
		}
	}
	var status map[string]any
	if r.objects != nil {
		version := r.version(gvk)
		if served, _ := version["served"].(bool); !served {
			return nil
		}
		k.stored, _ = version["storage"].(bool)
		status, _, _ = unstructured.NestedMap(version, "schema", "openAPIV3Schema", "properties", "status", "properties")
		declared, _, _ := unstructured.NestedMap(version, "schema", "openAPIV3Schema", "properties", "spec")
		k.spec = typeOf(declared)
	}
	r.state(k, gvk, status)
	return k
}

func (r *reader) version(gvk schema.GroupVersionKind) map[string]any {
	at := slices.IndexFunc(r.objects, func(obj *unstructured.Unstructured) bool { return defines(obj, gvk.GroupKind()) })
	if at < 0 {
		return nil
	}
	for _, version := range kinds.Maps(r.objects[at].Object, "spec", "versions") {
		if version["name"] == gvk.Version {
			return version
		}
	}
	return nil
}

// defines reports whether an object is the CustomResourceDefinition of a kind. An empty group is any
// group.
func defines(obj *unstructured.Unstructured, gk schema.GroupKind) bool {
	group, _, _ := unstructured.NestedString(obj.Object, "spec", "group")
	name, _, _ := unstructured.NestedString(obj.Object, "spec", "names", "kind")
	return obj.GetKind() == "CustomResourceDefinition" && name == gk.Kind && (gk.Group == "" || gk.Group == group)
}

// otherGroups returns the groups that define a kind with the same name.
func (r *reader) otherGroups(gvk schema.GroupVersionKind) (groups []string) {
	for _, obj := range r.objects {
		group, _, _ := unstructured.NestedString(obj.Object, "spec", "group")
		if group != gvk.Group && defines(obj, schema.GroupKind{Kind: gvk.Kind}) {
			groups = append(groups, group)
		}
	}
	return groups
}

// phases are fields of a status that say in one word how far the work is.
var phases = []string{"phase", "state", "status", "health"}

// state finds the state that objects of a kind reach: a condition, or else a field, that its
// controller sets. status are the fields of its status; nil if they are unknown.
func (r *reader) state(k *kind, gvk schema.GroupVersionKind, status map[string]any) {
	_, hasConditions := status["conditions"]
	hasConditions = hasConditions || status == nil && r.objects == nil
	if r.module == nil {
		k.score, k.condition, k.why = 3, runtimes[r.runtime()]+"=True", "set by "+r.runtime()+"-operator"
		return
	}
	controller := r.module.Controller(gvk.Group, gvk.Kind, r.otherGroups(gvk))
	switch {
	case controller == nil && hasConditions:
		k.condition, k.why = "Ready=True", "default; no controller of "+gvk.Kind+" found, so check that the operator sets this condition"
		return
	case controller == nil:
		k.condition, k.why = "none", "its status has no conditions"
		return
	}
	if found, ok := controller.Condition(); ok && hasConditions {
		k.score, k.condition, k.why = 3, found.Value+"=True", found.File+" sets this condition"
		return
	}
	for _, name := range phases {
		field, _ := status[name].(map[string]any)
		allowed, _, _ := unstructured.NestedStringSlice(field, "enum")
		if found, ok := controller.Field(name, allowed); ok && field["type"] == "string" {
			k.score, k.condition, k.why = 2, ".status."+name+"="+found.Value, "no condition; "+found.File+" contains this value"
			return
		}
	}
	for _, name := range []string{"ready", "available"} {
		if field, _ := status[name].(map[string]any); field["type"] == "boolean" {
			k.score, k.condition, k.why = 2, ".status."+name+"=true", "no condition; a field of the status"
			return
		}
	}
	k.score, k.condition, k.why = 1, "none", controller.File+" sets no condition"
}
