package tracing

import (
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
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

// asksNothing reports whether a merge patch is empty but for the version that it expects.
func (b body) asksNothing() bool {
	for k, v := range b {
		m, ok := v.(map[string]any)
		if k != "metadata" || !ok {
			return false
		}
		for field := range m {
			if field != "resourceVersion" {
				return false
			}
		}
	}
	return true
}

// writeStyle is what a write means by what it leaves out.
type writeStyle int

const (
	// replaces: lists are whole (Update).
	replaces writeStyle = iota
	// merges: lists are whole and null deletes (JSON merge patch).
	merges
	// adds: lists name only some items (Apply and strategic merge patch).
	adds
)

// changes reports whether writing b over old would change anything outside metadata and status, as far
// as can be told without the API server. What b leaves out counts as unchanged, since the server fills
// in defaults: an operator that writes the same undefaulted spec again and again must not get a new
// context on each write, for that would be a change, an event, and another write without end. The price
// is that a pure removal may go unseen; the reconciles that follow it then start in the trace of the new
// generation, linked to the last.
func (b body) changes(old body, style writeStyle) bool {
	for k, v := range b.desired() {
		if !covered(k, v, old[k], style) {
			return true
		}
	}
	return false
}

// covered reports whether old, the value of key, already is what value asks for.
func covered(key string, value, old any, style writeStyle) bool {
	switch v := value.(type) {
	case nil:
		return style != merges || old == nil
	case map[string]any:
		return coveredMap(v, old, style)
	case []any:
		return coveredList(v, old, style)
	case string:
		return v == "" || equalScalars(v, old)
	default:
		if key == "targetPort" && integer(value) == 0 {
			return true // a Service's port without a target says 0 on the wire
		}
		return equalScalars(value, old)
	}
}

func coveredMap(value map[string]any, old any, style writeStyle) bool {
	if len(value) == 0 && old == nil {
		return true
	}
	o, ok := old.(map[string]any)
	if !ok {
		return false
	}
	for k, v := range value {
		if strings.HasPrefix(k, "$setElementOrder/") {
			continue // only says in which order the items are that the patch need not name
		}
		if !covered(k, v, o[k], style) {
			return false
		}
	}
	return true
}

func coveredList(value []any, old any, style writeStyle) bool {
	if len(value) == 0 && (old == nil || style == adds) {
		return true
	}
	o, ok := old.([]any)
	if !ok {
		return false
	}
	if style == adds {
		for _, item := range value {
			if !anyCovers(item, o, style) {
				return false
			}
		}
		return true
	}
	if len(value) != len(o) {
		return false
	}
	for i := range value {
		if !covered("", value[i], o[i], style) {
			return false
		}
	}
	return true
}

func anyCovers(item any, old []any, style writeStyle) bool {
	for _, o := range old {
		if covered("", item, o, style) {
			return true
		}
	}
	return false
}

// equalScalars compares two values of JSON. Quantities are equal however they are written, since the
// server rewrites them.
func equalScalars(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	switch x := a.(type) {
	case int64, float64:
		switch b.(type) {
		case int64, float64:
			return number(a) == number(b)
		}
	case string:
		if y, ok := b.(string); ok {
			qa, errA := resource.ParseQuantity(x)
			qb, errB := resource.ParseQuantity(y)
			return errA == nil && errB == nil && qa.Cmp(qb) == 0
		}
	}
	return false
}

func number(v any) float64 {
	if i, ok := v.(int64); ok {
		return float64(i)
	}
	f, _ := v.(float64)
	return f
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
