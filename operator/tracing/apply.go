package tracing

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// generatedConfiguration is the interface of the configurations that applyconfiguration-gen
// generates.
type generatedConfiguration interface {
	GetName() *string
	GetNamespace() *string
	GetKind() *string
	GetAPIVersion() *string
}

// appliedID identifies the object of an apply configuration before it is sent.
func appliedID(obj runtime.ApplyConfiguration) objectID {
	if g, ok := obj.(generatedConfiguration); ok {
		return objectID{
			gvk:       schema.FromAPIVersionAndKind(deref(g.GetAPIVersion()), deref(g.GetKind())),
			namespace: deref(g.GetNamespace()),
			name:      deref(g.GetName()),
		}
	}
	u := appliedObject(obj)
	if u == nil {
		return objectID{}
	}
	return identify(u.GetObjectKind().GroupVersionKind(), u)
}

// appliedObject returns an apply configuration as an object, into which the client decodes the
// response. It returns nil if the configuration cannot be encoded as JSON, which the API server
// would reject. It converts by JSON because configurations share no accessors for their fields.
func appliedObject(obj runtime.ApplyConfiguration) client.Object {
	if o, ok := obj.(client.Object); ok { // created from an unstructured object
		return o
	}
	data, err := json.Marshal(obj)
	if err != nil {
		return nil
	}
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil || fields == nil {
		return nil
	}
	return &unstructured.Unstructured{Object: fields}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
