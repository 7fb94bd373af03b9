package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of every kind in this package. Do not change it.
	GroupVersion = schema.GroupVersion{Group: "dummy.example.com", Version: "v1alpha1"}

	schemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds Head, ChildA and their lists to a scheme. It returns an error only if the
	// scheme maps one of these kinds to another Go type. It is not safe for concurrent use with the
	// same scheme.
	AddToScheme = schemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &Head{}, &HeadList{}, &ChildA{}, &ChildAList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
