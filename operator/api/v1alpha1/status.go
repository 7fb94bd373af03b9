package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ReadyStatus is the status of both kinds: what the operator last saw. Only the
// kind's controller writes it, and only when something in it changes.
type ReadyStatus struct {
	// Ready repeats the Ready condition for readers that want one field: true
	// when what the spec of ObservedGeneration asks for is in place and available.
	//
	// +optional
	Ready bool `json:"ready"`

	// ObservedGeneration is the generation of the spec that this status is about.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions has one entry, Ready.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
