package tracing

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// body is an object, or a patch of one, as the API server sees it.
type body map[string]any

func parseBody(data []byte) (body, error) {
	var b body
	if err := json.Unmarshal(data, (*map[string]any)(&b)); err != nil {
		return nil, err
	}
	return b, nil
}

func bodyOf(obj client.Object) (body, error) {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		return u.Object, nil
	}
	return runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
}

// desired is the part of a body that a trace is about: everything outside metadata and status.
func (b body) desired() body {
	out := make(body, len(b))
	for k, v := range b {
		switch k {
		case "metadata", "status", "apiVersion", "kind":
		default:
			out[k] = v
		}
	}
	return out
}

// annotations gives metadata.annotations of the body. hasNull is whether they are to be deleted as a
// whole.
func (b body) annotations() (values map[string]any, hasNull bool) {
	metadata, _ := b["metadata"].(map[string]any)
	v, ok := metadata["annotations"]
	values, _ = v.(map[string]any)
	return values, ok && v == nil
}

// withAnnotations gives a copy of the body with other annotations.
func (b body) withAnnotations(values map[string]any) body {
	out := make(body, len(b)+1)
	for k, v := range b {
		out[k] = v
	}
	metadata := map[string]any{}
	if m, ok := b["metadata"].(map[string]any); ok {
		for k, v := range m {
			metadata[k] = v
		}
	}
	metadata["annotations"] = values
	out["metadata"] = metadata
	return out
}
