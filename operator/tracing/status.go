package tracing

import (
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// condition holds the used fields of a status condition.
type condition struct {
	kind       string
	status     string
	reason     string
	observed   int64
	transition time.Time
}

// objectStatus holds the used fields of an object's status.
type objectStatus struct {
	observed   int64
	phase      string
	conditions []condition
}

// readStatus reads the conventional fields of a status: conditions, observedGeneration and phase.
// Missing fields stay empty. It copies all values.
func readStatus(obj client.Object) objectStatus {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		return parseStatus(u.Object["status"])
	}
	v := reflect.Indirect(reflect.ValueOf(obj))
	if v.Kind() != reflect.Struct {
		return objectStatus{}
	}
	status := fieldOf(v, "Status")
	if status.Kind() != reflect.Struct {
		return objectStatus{}
	}
	out := objectStatus{
		observed: intField(status, "ObservedGeneration"),
		phase:    stringField(status, "Phase"),
	}
	list := fieldOf(status, "Conditions")
	if list.Kind() != reflect.Slice || list.Len() == 0 {
		return out
	}
	out.conditions = make([]condition, 0, list.Len())
	for i := range list.Len() {
		if item := reflect.Indirect(list.Index(i)); item.Kind() == reflect.Struct {
			out.conditions = append(out.conditions, readCondition(item))
		}
	}
	return out
}

func readCondition(v reflect.Value) condition {
	c := condition{
		kind:     stringField(v, "Type"),
		status:   stringField(v, "Status"),
		reason:   stringField(v, "Reason"),
		observed: intField(v, "ObservedGeneration"),
	}
	if field := fieldOf(v, "LastTransitionTime"); field.IsValid() {
		if t, ok := field.Interface().(metav1.Time); ok {
			c.transition = t.Time
		}
	}
	return c
}

// fieldOf returns a field of a struct, also of an embedded one. It returns an invalid value if
// there is no such field, or if the field is below a nil pointer, for which reflect's FieldByName
// panics.
func fieldOf(v reflect.Value, name string) reflect.Value {
	f, ok := v.Type().FieldByName(name)
	if !ok || !f.IsExported() {
		return reflect.Value{}
	}
	field, err := v.FieldByIndexErr(f.Index)
	if err != nil {
		return reflect.Value{}
	}
	return reflect.Indirect(field)
}

func stringField(v reflect.Value, name string) string {
	if field := fieldOf(v, name); field.Kind() == reflect.String {
		return field.String()
	}
	return ""
}

func intField(v reflect.Value, name string) int64 {
	if field := fieldOf(v, name); field.IsValid() && field.CanInt() {
		return field.Int()
	}
	return 0
}

func parseStatus(value any) objectStatus {
	status, _ := value.(map[string]any)
	out := objectStatus{observed: integer(status["observedGeneration"])}
	out.phase, _ = status["phase"].(string)
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

// Readiness says when an object is ready, for [WithConvergeWhen]. Use [ReadyCondition] or
// [ReadyPhase]. The zero value is ReadyCondition("Ready").
type Readiness struct {
	condition string
	phases    []string
}

// ReadyCondition returns the readiness of objects whose condition of a type has status True. If the
// condition or the status has an observedGeneration, it must equal the object's generation.
// Otherwise the object is ready whenever the condition is True. The default type is "Ready".
func ReadyCondition(conditionType string) Readiness { return Readiness{condition: conditionType} }

// ReadyPhase returns the readiness of objects whose status.phase is one of the phases. If the
// status has an observedGeneration, it must equal the object's generation. Without phases, no
// object is ready.
func ReadyPhase(phases ...string) Readiness { return Readiness{phases: append([]string{}, phases...)} }

// reached reports whether a status is ready at a generation, and since when. The time is zero if
// the status does not contain it, for example with a phase.
func (r Readiness) reached(s objectStatus, generation int64) (time.Time, bool) {
	if s.observed != 0 && s.observed != generation {
		return time.Time{}, false
	}
	if r.phases != nil {
		for _, phase := range r.phases {
			if phase != "" && phase == s.phase {
				return time.Time{}, true
			}
		}
		return time.Time{}, false
	}
	kind := r.condition
	if kind == "" {
		kind = "Ready"
	}
	c, ok := s.condition(kind)
	if !ok || c.status != string(metav1.ConditionTrue) || c.observed != 0 && c.observed != generation {
		return time.Time{}, false
	}
	return c.transition, true
}
