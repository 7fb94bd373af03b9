// Package inject makes one chosen request or event of an operator fail, and judges whether the
// operator still converges.
//
// # The engine
//
// An [Injector] is an http.RoundTripper between an operator and its API server. Without a plan it
// passes requests and responses on unchanged and records them: the writes in their order, and the
// events that the operator's watches delivered. [Recording] holds both. [NewMatrix] turns a
// recording into plans. A [Plan] is one write or event of the recording with one [Fault], and has a
// text form such as "write:3,kill-after". An Injector with a plan waits for that write or event, and
// injects the fault once.
//
// A write is found in another run by its [Identity], not by its number, so that writes in another
// order do not matter. If it never comes, [Injector.Fired] returns false, and the plan proves
// nothing.
//
// # The oracle
//
// [Learn] compares two runs without a fault, and learns the fields that differ between them: the
// [Mask]. [Oracle.Judge] compares a run with a fault with these and returns a [Verdict] for each
// difference. [Drive] executes the steps of one run.
//
// The package imports only the standard library and k8s.io/apimachinery, so that both unit tests
// (package faulttest) and proxies can use it.
package inject
