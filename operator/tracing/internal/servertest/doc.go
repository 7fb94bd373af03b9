// Package servertest holds the tests of package tracing that need a real API server, for field
// ownership, defaults and generations. It contains only tests.
//
// The tests read KUBEBUILDER_ASSETS, the folder with kube-apiserver and etcd, and fail without it.
package servertest
