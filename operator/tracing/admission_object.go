package tracing

import (
	"encoding/json"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// jsonObject is an object under admission in its JSON form.
type jsonObject map[string]any

// parseObject reads an object from JSON. It returns a nil object for the JSON value null.
func parseObject(data []byte) (jsonObject, error) {
	var o jsonObject
	if err := kjson.Unmarshal(data, (*map[string]any)(&o)); err != nil {
		return nil, err
	}
	return o, nil
}

// objectOf converts an object to its JSON form. The result may share memory with obj.
func objectOf(obj client.Object) (jsonObject, error) {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		return u.Object, nil
	}
	return runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
}

// spec returns the part of an object that starts a trace when it changes: every field outside
// metadata and status.
func (o jsonObject) spec() jsonObject {
	out := make(jsonObject, len(o))
	for k, v := range o {
		switch k {
		case "metadata", "status", "apiVersion", "kind":
		default:
			out[k] = v
		}
	}
	return out
}

// readLike reads an object of the same Go type as another.
func readLike(like client.Object, raw []byte) (client.Object, bool) {
	if isUnstructured(like) {
		o, err := parseObject(raw)
		return &unstructured.Unstructured{Object: o}, err == nil && o != nil
	}
	t := reflect.TypeOf(like)
	if t.Kind() != reflect.Pointer {
		return nil, false
	}
	obj, ok := reflect.New(t.Elem()).Interface().(client.Object)
	return obj, ok && json.Unmarshal(raw, obj) == nil
}

func isUnstructured(obj client.Object) bool {
	_, ok := obj.(*unstructured.Unstructured)
	return ok
}

// sentAnnotation reports whether a field manager owns an annotation. The second result is false if
// the managed fields do not say.
//
// The API server records the fields of a request before it calls the first webhook, and it does not
// record the changes of webhooks. An annotation without an owner was therefore not part of the
// request. A user cannot hide a field from this record: an update of managedFields only adds to it,
// and a reset leaves it empty.
func sentAnnotation(managed []metav1.ManagedFieldsEntry, key string) (sent, known bool) {
	for _, entry := range managed {
		if entry.FieldsV1 == nil {
			continue
		}
		known = true
		var fields struct {
			Metadata struct {
				Annotations map[string]json.RawMessage `json:"f:annotations"`
			} `json:"f:metadata"`
		}
		data, err := json.Marshal(entry.FieldsV1) // the name of the field with the bytes depends on a build tag
		if err != nil || json.Unmarshal(data, &fields) != nil {
			return false, false
		}
		if _, ok := fields.Metadata.Annotations["f:"+key]; ok {
			return true, true
		}
	}
	return false, known
}

// lastManaged returns the newest time in the managed fields, in Unix seconds. It is 0 without a
// time.
func lastManaged(managed []metav1.ManagedFieldsEntry) (last int64) {
	for _, entry := range managed {
		if entry.Time != nil {
			last = max(last, entry.Time.Unix())
		}
	}
	return last
}
