// Package v1 is the API of the group storage.example.com.
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion names this API.
var GroupVersion = schema.GroupVersion{Group: "storage.example.com", Version: "v1"}

// AddToScheme makes the kinds known to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &Shelf{}, &ShelfList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

// Shelf is furniture that a Ticket orders.
type Shelf struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ShelfSpec   `json:"spec,omitempty"`
	Status ShelfStatus `json:"status,omitempty"`
}

// ShelfSpec is what a user wants.
type ShelfSpec struct {
	Wood string `json:"wood,omitempty"`
}

// ShelfStatus is what the operator saw last.
type ShelfStatus struct {
	Ready bool `json:"ready,omitempty"`
}

// ShelfList is a list of them.
type ShelfList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Shelf `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (in *Shelf) DeepCopyObject() runtime.Object {
	out := *in
	out.ObjectMeta = *in.ObjectMeta.DeepCopy()
	return &out
}

// DeepCopyObject implements runtime.Object.
func (in *ShelfList) DeepCopyObject() runtime.Object {
	out := *in
	out.ListMeta = *in.ListMeta.DeepCopy()
	out.Items = make([]Shelf, len(in.Items))
	for i := range in.Items {
		out.Items[i] = *in.Items[i].DeepCopyObject().(*Shelf)
	}
	return &out
}
