// Package servertest holds the tests of package tracing that need a real API server: what a fake makes
// of field ownership, defaults and generations proves nothing. There is no code in it for others.
//
// The tests read KUBEBUILDER_ASSETS, the folder with kube-apiserver and etcd, and fail without it.
package servertest
