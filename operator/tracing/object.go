package tracing

import (
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// kindOf returns an object's kind. If the scheme does not know the type, the kind is the name of
// the Go type: a span with an imprecise kind is better than none. It also accepts nil pointers. It
// returns an empty kind for nil.
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

// deepCopy is DeepCopyObject with the result type client.Object.
func deepCopy(obj client.Object) client.Object {
	return obj.DeepCopyObject().(client.Object)
}

// isPartial reports whether obj contains only metadata.
func isPartial(obj client.Object) bool {
	_, ok := obj.(*metav1.PartialObjectMetadata)
	return ok
}
