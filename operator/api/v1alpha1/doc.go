// Package v1alpha1 holds the two kinds of the reference operator, in the group
// dummy.example.com.
//
// A Head is what a user writes; the operator makes one ChildA for it and one
// Deployment for that. The kinds are small on purpose: they exist so that a
// change travels through admission, two controllers and an owned built-in kind,
// which is the shortest way on which a trace can get lost.
//
// Head and ChildA are the entry types. The controllers, the webhook, the
// manifests in config/crd and every test use them. The package holds no
// behaviour beyond the types: no defaulting, no validation in Go (the schema
// does that at the API server) and no tracing.
//
// +kubebuilder:object:generate=true
// +groupName=dummy.example.com
package v1alpha1
