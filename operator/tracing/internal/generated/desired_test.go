package generated

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Labels and annotations that generated operators write.
const (
	ownerLabel     = "generated/owner"
	childLabel     = "generated/child"
	teamAnnotation = "generated/team"
	hashAnnotation = "generated/hash"
)

type object = map[string]any

// desired returns the child of a step, with the value of its owner.
func (p *program) desired(s step, owner client.Object, name string) object {
	value := valueOf(owner)
	metadata := object{
		"namespace": owner.GetNamespace(), "name": name,
		"labels":      object{ownerLabel: owner.GetName(), childLabel: name},
		"annotations": object{teamAnnotation: "a", hashAnnotation: value},
	}
	if !p.op.Watches {
		gvk := kinds[p.op.Primary]
		metadata["ownerReferences"] = []any{object{
			"apiVersion": gvk.GroupVersion().String(), "kind": gvk.Kind, "name": owner.GetName(), "uid": string(owner.GetUID()),
			"controller": true, "blockOwnerDeletion": true,
		}}
	}
	m := object{"apiVersion": kinds[s.Kind].GroupVersion().String(), "kind": s.Kind, "metadata": metadata}
	overlay(m, fields(s, name, value))
	return m
}

// fields returns the fields of a step outside metadata.
func fields(s step, name, value string) object {
	switch s.Kind {
	case configMap:
		return object{"data": object{"value": value}}
	case secret:
		if s.Lossy {
			return object{"stringData": object{"value": value}}
		}
		return object{"data": object{"value": base64.StdEncoding.EncodeToString([]byte(value))}}
	case service:
		spec := object{"selector": object{"app": labelValue(value)}, "ports": []any{object{"port": int64(80)}}}
		if s.Lossy {
			spec["publishNotReadyAddresses"] = false
		}
		return object{"spec": spec}
	case deployment:
		container := object{"name": "main", "image": value}
		pod := object{"containers": []any{container}}
		if s.Lossy {
			pod["hostNetwork"] = false
			pod["volumes"] = []any{object{"name": "d", "emptyDir": object{}}}
			container["resources"] = object{"limits": object{"cpu": int64(1), "memory": "1024Mi"}}
			container["volumeMounts"] = []any{object{"name": "d", "mountPath": "/d", "readOnly": false}}
		}
		app := object{"app": name}
		return object{"spec": object{"selector": object{"matchLabels": app}, "template": object{"metadata": object{"labels": app}, "spec": pod}}}
	default:
		spec := object{"image": value}
		if s.Lossy {
			spec["cpu"] = int64(1)
			if !strings.Contains(s.Verb, "apply") { // the API server rejects an apply with unknown fields
				spec["mode"] = "managed"
			}
		}
		return object{"spec": spec}
	}
}

// valueOf returns the value that users change in a reconciled object.
func valueOf(owner client.Object) string {
	path := []string{"spec", "image"}
	if owner.GetObjectKind().GroupVersionKind().Kind == configMap || kindName(owner) == configMap {
		path = []string{"data", "value"}
	}
	value, _, _ := unstructured.NestedString(content(owner), path...)
	return value
}

// kindName returns the kind of an object, also of a typed one.
func kindName(obj client.Object) string {
	gvks, _, err := scheme.ObjectKinds(obj)
	if err != nil {
		return obj.GetObjectKind().GroupVersionKind().Kind
	}
	return gvks[0].Kind
}

// pathOf returns the field of a child that depends on the value, as a path of a JSON patch, and the
// stored value.
func pathOf(kind, value string) (path string, stored string) {
	switch kind {
	case configMap:
		return "/data/value", value
	case secret:
		return "/data/value", base64.StdEncoding.EncodeToString([]byte(value))
	case service:
		return "/spec/selector/app", labelValue(value)
	case deployment:
		return "/spec/template/spec/containers/0/image", value
	default:
		return "/spec/image", value
	}
}

func labelValue(s string) string { return strings.NewReplacer(":", "-", "/", "-").Replace(s) }

// build returns a new object with only the fields of m.
func build(s step, m object) client.Object {
	obj := newObject(s.Kind, s.Typed)
	fill(obj, m)
	return obj
}

// set sets the fields of m in obj, and keeps its other fields.
func set(s step, obj client.Object, m object) {
	all := content(obj)
	if s.Replace {
		unstructured.RemoveNestedField(all, "metadata", "annotations")
	}
	overlay(all, m)
	fill(obj, all)
}

// applyConfiguration returns an apply configuration with the fields of m, typed if there is a type.
func applyConfiguration(s step, m object) runtime.ApplyConfiguration {
	var ac runtime.ApplyConfiguration
	if s.Typed {
		switch s.Kind {
		case configMap:
			ac = &corev1ac.ConfigMapApplyConfiguration{}
		case secret:
			ac = &corev1ac.SecretApplyConfiguration{}
		case service:
			ac = &corev1ac.ServiceApplyConfiguration{}
		case deployment:
			ac = &appsv1ac.DeploymentApplyConfiguration{}
		}
	}
	if ac == nil {
		return client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: runtime.DeepCopyJSON(m)})
	}
	data, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(data, ac)
	}
	if err != nil {
		panic(err)
	}
	return ac
}

// applied returns the server's response to an apply.
func applied(ac runtime.ApplyConfiguration) object {
	data, err := json.Marshal(ac)
	m := object{}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		panic(err)
	}
	return m
}

// differs reports whether two versions of an object differ in the fields that an operator may
// write.
func differs(a, b object) bool {
	relevant := func(in object) object {
		data, err := json.Marshal(in)
		out := object{}
		if err == nil {
			err = json.Unmarshal(data, &out)
		}
		if err != nil {
			panic(err)
		}
		metadata, _ := out["metadata"].(object)
		for key := range metadata {
			if key != "labels" && key != "annotations" && key != "ownerReferences" {
				delete(metadata, key)
			}
		}
		for _, key := range []string{"status", "apiVersion", "kind"} {
			delete(out, key)
		}
		return out
	}
	return !reflect.DeepEqual(relevant(a), relevant(b))
}

// raw returns a patch of a type from a value that is marshalled to JSON.
func raw(kind types.PatchType, from any) client.Patch {
	data, err := json.Marshal(from)
	if err != nil {
		panic(err)
	}
	return client.RawPatch(kind, data)
}

func asObject(m object) client.Object {
	kind, _ := m["kind"].(string)
	obj := newObject(kind, false)
	fill(obj, runtime.DeepCopyJSON(m))
	return obj
}

// childName returns the name of the child of the step at index i.
func childName(owner string, i int, s step) string {
	return strings.ToLower(fmt.Sprintf("%s-%d-%s", owner, i, s.Kind))
}

var deleteNow = client.PropagationPolicy(metav1.DeletePropagationBackground)
