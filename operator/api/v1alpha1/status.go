package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ReadyStatus is the status of both kinds. Only the controller of the kind writes it, and only if
// it changes.
type ReadyStatus struct {
	// Ready is true if the Ready condition is True, for readers that need one field.
	//
	// +optional
	Ready bool `json:"ready"`

	// ObservedGeneration is the generation of the spec that this status describes.
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
