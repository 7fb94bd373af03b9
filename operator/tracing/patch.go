package tracing

import (
	"context"
	"encoding/json"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// emptyPatch reports whether a patch asks for nothing. Operators that patch unconditionally at the end
// of a reconcile send many of those; they are no reason for a span.
func emptyPatch(t types.PatchType, data []byte) bool {
	switch t {
	case types.MergePatchType, types.StrategicMergePatchType:
		b, err := parseBody(data)
		return err == nil && b.asksNothing()
	case types.JSONPatchType:
		var ops []json.RawMessage
		return json.Unmarshal(data, &ops) == nil && len(ops) == 0
	default:
		return false
	}
}

// patchPlan gives the action, the plan and, where the patch may be extended, its body.
func (c *tracedClient) patchPlan(ctx context.Context, gvk schema.GroupVersionKind, obj client.Object, patch client.Patch, data []byte, force bool) (string, plan, body) {
	s := sessionFrom(ctx)
	switch patch.Type() {
	case types.MergePatchType, types.StrategicMergePatchType:
		if b, err := parseBody(data); err == nil {
			return "patch", c.planPatch(s, gvk, obj, b, patch), b
		}
	case types.ApplyPatchType:
		b, err := parseBody(data)
		if err != nil { // YAML
			return "apply", plan{intent: intentOther}, nil
		}
		return "apply", c.planApply(s, gvk, client.ObjectKeyFromObject(obj), b, force), b
	case types.JSONPatchType:
		return "patch", c.planJSON(s, gvk, client.ObjectKeyFromObject(obj), data), nil
	}
	return "patch", plan{intent: intentOther}, nil
}

// patch gives what to send instead of the caller's patch: the same with the plan carried out. Where
// there is nothing to carry out it is the body that the caller's patch gave, not asked for again.
func (w *write) patch(original client.Patch, p plan, b body, data []byte) client.Patch {
	same := client.RawPatch(original.Type(), data)
	if b == nil {
		return same
	}
	applying := original.Type() == types.ApplyPatchType
	values := p.repeat
	if p.inject {
		values = w.values(p)
	}
	switch {
	case p.inject && values == nil, applying && values == nil, len(values) > 0 && !p.fits(b, values):
		return same
	case p.inject, applying:
		b = p.annotate(b, w.cfg.keys, values, !applying)
	default:
		var changed bool
		if b, changed = p.spare(b, w.cfg.keys); !changed {
			return same
		}
	}
	if extended, err := rawPatch(original.Type(), b); err == nil {
		return extended
	}
	return same
}

// readApply gives an apply configuration as it goes over the wire, nil where that cannot be told, and
// what it is about.
func readApply(obj runtime.ApplyConfiguration) (body, objectID) {
	data, err := json.Marshal(obj)
	if err != nil {
		return nil, objectID{}
	}
	b, err := parseBody(data)
	if err != nil {
		return nil, objectID{}
	}
	u := unstructured.Unstructured{Object: b}
	return b, objectID{
		gvk:        u.GroupVersionKind(),
		namespace:  u.GetNamespace(),
		name:       u.GetName(),
		uid:        string(u.GetUID()),
		generation: u.GetGeneration(),
	}
}

// applyMetadata gives access to the annotations of an apply configuration: that made from an
// unstructured object is one, generated ones embed their metadata. Others have none that can be reached.
func applyMetadata(obj runtime.ApplyConfiguration) annotated {
	if a, ok := obj.(annotated); ok {
		return a
	}
	v := reflect.Indirect(reflect.ValueOf(obj))
	if v.Kind() != reflect.Struct {
		return nil
	}
	field := v.FieldByName("ObjectMetaApplyConfiguration")
	if !field.IsValid() || !field.CanInterface() {
		return nil
	}
	if m, ok := field.Interface().(*metav1ac.ObjectMetaApplyConfiguration); ok && m != nil {
		return generatedMetadata{m}
	}
	return nil
}

type generatedMetadata struct {
	meta *metav1ac.ObjectMetaApplyConfiguration
}

func (g generatedMetadata) GetAnnotations() map[string]string { return g.meta.Annotations }

func (g generatedMetadata) SetAnnotations(annotations map[string]string) {
	g.meta.Annotations = annotations
}

// applied is write.end for an apply configuration, into which the API server's answer was decoded.
func (w *write) applied(obj runtime.ApplyConfiguration, err error) {
	if err != nil {
		w.finish(err)
		return
	}
	b, _ := readApply(obj)
	if b == nil {
		w.finish(nil)
		return
	}
	w.end(&unstructured.Unstructured{Object: b}, nil)
}
