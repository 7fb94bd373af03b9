// Package v1 is the API of the group desk.example.com.
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion names this API.
var GroupVersion = schema.GroupVersion{Group: "desk.example.com", Version: "v1"}

// AddToScheme makes the kinds known to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &Ticket{}, &TicketList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

// Ticket is an order.
type Ticket struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   TicketSpec   `json:"spec,omitempty"`
	Status TicketStatus `json:"status,omitempty"`
}

// TicketSpec is what a user wants.
type TicketSpec struct {
	Text string `json:"text,omitempty"`
}

// TicketStatus is what the operator saw last.
type TicketStatus struct {
	Done bool `json:"done,omitempty"`
}

// TicketList is a list of them.
type TicketList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Ticket `json:"items"`
}

// DeepCopyObject implements runtime.Object.
func (in *Ticket) DeepCopyObject() runtime.Object {
	out := *in
	out.ObjectMeta = *in.ObjectMeta.DeepCopy()
	return &out
}

// DeepCopyObject implements runtime.Object.
func (in *TicketList) DeepCopyObject() runtime.Object {
	out := *in
	out.ListMeta = *in.ListMeta.DeepCopy()
	out.Items = make([]Ticket, len(in.Items))
	for i := range in.Items {
		out.Items[i] = *in.Items[i].DeepCopyObject().(*Ticket)
	}
	return &out
}
