// Package inject makes one chosen request or event of an operator fail.
//
// An [Injector] is an http.RoundTripper between an operator and its API server. Without a plan it
// passes requests and responses on unchanged, and records them. An Injector with a plan waits for the
// write or event of the plan, and injects the fault once. If the write or event never comes,
// [Injector.Fired] returns false, and the plan proves nothing. [Drive] executes the steps of one run.
//
// The package and the packages plan and oracle import only the standard library and
// k8s.io/apimachinery, so that both unit tests (package faulttest) and proxies can use them.
package inject
