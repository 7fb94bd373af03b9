// Package v1alpha1 contains the two kinds of the reference operator, in the group
// dummy.example.com.
//
// A user creates a Head. The operator creates one ChildA for each Head, and one Deployment for each
// ChildA. The kinds are small on purpose. A change passes through admission, two controllers and an
// owned built-in kind: the shortest path on which a trace can get lost.
//
// Head and ChildA are the entry types. The controllers, the webhook, the manifests in config/crd
// and all tests use them. The package contains only types: it has no defaults, no validation in Go
// (the schema validates in the API server) and no tracing.
//
// +kubebuilder:object:generate=true
// +groupName=dummy.example.com
package v1alpha1
