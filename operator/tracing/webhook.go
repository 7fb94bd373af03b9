package tracing

import (
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// WrapDefaulter starts a trace when a user creates or changes an object.
func WrapDefaulter[T runtime.Object](d admission.Defaulter[T], opts ...Option) admission.Defaulter[T] {
	return d
}
