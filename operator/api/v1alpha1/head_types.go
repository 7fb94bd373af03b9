package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ChildAFinalizer is on a Head from its admission until its ChildA is gone.
const ChildAFinalizer = "dummy.example.com/child-a"

// HeadSpec is the desired state of a Head.
type HeadSpec struct {
	// ChildA is the container image that the Head's ChildA runs, for example
	// registry.k8s.io/pause:3.10.2. Changing it rolls the Deployment.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^\S+$`
	ChildA string `json:"child_a,omitempty"`
}

// The rule on Head makes an object without a spec name the missing field. If the spec itself were
// required, the API server would name only "spec".

// Head requests one ChildA, and through it one Deployment, that runs an image.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=heads,singular=head,scope=Namespaced
// +kubebuilder:printcolumn:name="Ready",type=boolean,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="has(self.spec)",message="set the container image of the child",fieldPath=".spec.child_a",reason=FieldValueRequired
type Head struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec HeadSpec `json:"spec,omitzero"`
	// +optional
	Status ReadyStatus `json:"status,omitzero"`
}

// HeadList is a list of Heads.
//
// +kubebuilder:object:root=true
type HeadList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Head `json:"items"`
}
