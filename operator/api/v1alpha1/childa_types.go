package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ChildASpec is the desired state of a ChildA.
type ChildASpec struct {
	// Image is the container image that the Deployment runs.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^\S+$`
	Image string `json:"image,omitempty"`
}

// ChildA runs an image as a Deployment of one pod.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=childas,singular=childa,scope=Namespaced
// +kubebuilder:printcolumn:name="Ready",type=boolean,JSONPath=`.status.ready`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="has(self.spec)",message="set the container image",fieldPath=".spec.image",reason=FieldValueRequired
type ChildA struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ChildASpec `json:"spec,omitzero"`
	// +optional
	Status ReadyStatus `json:"status,omitzero"`
}

// ChildAList is a list of ChildAs.
//
// +kubebuilder:object:root=true
type ChildAList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ChildA `json:"items"`
}
