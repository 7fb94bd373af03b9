package tracing

import (
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// kindOf finds an object's kind. A type that the scheme does not know is called by its Go name: a span
// with an imprecise kind is better than none. A nil pointer has the kind of its type, and nil has none.
func kindOf(obj runtime.Object, scheme *runtime.Scheme) schema.GroupVersionKind {
	if obj == nil {
		return schema.GroupVersionKind{}
	}
	if v := reflect.ValueOf(obj); v.Kind() == reflect.Pointer && v.IsNil() {
		obj = reflect.New(v.Type().Elem()).Interface().(runtime.Object)
	}
	if gvk, err := apiutil.GVKForObject(obj, scheme); err == nil {
		return gvk
	}
	if gvk := obj.GetObjectKind().GroupVersionKind(); gvk.Kind != "" {
		return gvk
	}
	t := reflect.TypeOf(obj)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return schema.GroupVersionKind{Kind: t.Name()}
}

// deepCopy is DeepCopyObject with the type that every client.Object's copy has.
func deepCopy(obj client.Object) client.Object {
	return obj.DeepCopyObject().(client.Object)
}

// isPartial reports whether obj is only an object's metadata, so that nothing can be said about the rest.
func isPartial(obj client.Object) bool {
	_, ok := obj.(*metav1.PartialObjectMetadata)
	return ok
}

// condition is what this package needs to know of a status condition.
type condition struct {
	kind       string
	status     string
	reason     string
	observed   int64
	transition time.Time
}

// objectStatus is what this package needs to know of an object's status.
type objectStatus struct {
	observed   int64
	conditions []condition
}

// readStatus reads conditions by their customary shape. An object without them has an empty status.
func readStatus(obj client.Object) objectStatus {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		return parseStatus(u.Object["status"])
	}
	v := reflect.Indirect(reflect.ValueOf(obj))
	if v.Kind() != reflect.Struct {
		return objectStatus{}
	}
	field := v.FieldByName("Status")
	if !field.IsValid() || field.Kind() != reflect.Struct || !field.CanAddr() {
		return objectStatus{}
	}
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(field.Addr().Interface())
	if err != nil {
		return objectStatus{}
	}
	return parseStatus(m)
}

func parseStatus(value any) objectStatus {
	status, _ := value.(map[string]any)
	out := objectStatus{observed: integer(status["observedGeneration"])}
	list, _ := status["conditions"].([]any)
	for _, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			continue
		}
		c := condition{observed: integer(m["observedGeneration"])}
		c.kind, _ = m["type"].(string)
		c.status, _ = m["status"].(string)
		c.reason, _ = m["reason"].(string)
		if t, ok := m["lastTransitionTime"].(string); ok {
			c.transition, _ = time.Parse(time.RFC3339, t)
		}
		out.conditions = append(out.conditions, c)
	}
	return out
}

func integer(value any) int64 {
	switch v := value.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	default:
		return 0
	}
}

func (s objectStatus) condition(kind string) (condition, bool) {
	for _, c := range s.conditions {
		if c.kind == kind {
			return c, true
		}
	}
	return condition{}, false
}

// says reports whether a status has each condition that another one states, and its observed generation.
func (s objectStatus) says(stated objectStatus) bool {
	if len(stated.conditions) == 0 || stated.observed != 0 && stated.observed != s.observed {
		return false
	}
	for _, c := range stated.conditions {
		if now, ok := s.condition(c.kind); !ok || now.status != c.status {
			return false
		}
	}
	return true
}

// converged reports whether the status says Ready=True about this generation, and since when. Both
// places for an observed generation are heeded; a status with neither says nothing about a generation.
func (s objectStatus) converged(generation int64) (time.Time, bool) {
	ready, ok := s.condition("Ready")
	if !ok || ready.status != string(metav1.ConditionTrue) || s.observed == 0 && ready.observed == 0 {
		return time.Time{}, false
	}
	for _, observed := range []int64{s.observed, ready.observed} {
		if observed != 0 && observed != generation {
			return time.Time{}, false
		}
	}
	return ready.transition, true
}
