package applytrace

import (
	"encoding/json"
	"maps"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The annotations of package operator/tracing.
const (
	traceparent = "tracing.k8s.io/traceparent"
	tracestate  = "tracing.k8s.io/tracestate"
	origin      = "tracing.k8s.io/origin"
)

func annotate(obj *unstructured.Unstructured, values map[string]string) {
	if len(values) == 0 {
		return
	}
	all := maps.Clone(obj.GetAnnotations())
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, values)
	obj.SetAnnotations(all)
}

// contextOwnedBy returns the context that a field manager applied earlier, as it is now. An apply
// without it would remove it.
func contextOwnedBy(manager string, live *unstructured.Unstructured) map[string]string {
	if live == nil {
		return nil
	}
	kept := map[string]string{}
	for _, entry := range live.GetManagedFields() {
		if entry.Manager != manager || entry.Operation != metav1.ManagedFieldsOperationApply || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		var fields struct {
			Metadata struct {
				Annotations map[string]json.RawMessage `json:"f:annotations"`
			} `json:"f:metadata"`
		}
		if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields) != nil {
			continue // It then has no context that is known.
		}
		for _, key := range []string{traceparent, tracestate, origin} {
			value, exists := live.GetAnnotations()[key]
			if _, owned := fields.Metadata.Annotations["f:"+key]; owned && exists {
				kept[key] = value
			}
		}
	}
	return kept
}

// Same reports whether an apply changed nothing that users write: the status and the finalizers can
// have changed meanwhile.
func Same(live, applied *unstructured.Unstructured) bool {
	return reflect.DeepEqual(written(live), written(applied))
}

func written(obj *unstructured.Unstructured) map[string]any {
	out := obj.DeepCopy().Object
	delete(out, "status")
	metadata, _ := out["metadata"].(map[string]any)
	for _, field := range []string{"managedFields", "resourceVersion", "generation", "finalizers"} {
		delete(metadata, field)
	}
	return out
}
