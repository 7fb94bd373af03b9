// Package harness is what the end-to-end tests stand on: the life cycle of the
// sandbox, a client of its cluster and its Jaeger, expected trees with their
// values filled in, and what is kept of a failure.
//
// [Main] is its entry: the tests' TestMain calls it. It uses the sandbox that is
// up, or has one brought up by a process of its own, the guard, which takes it
// down again however the tests end: passed, failed, panicked, interrupted or
// killed. [Scene] is what one feature works in: a namespace, the traces that it
// looked at, and the artifacts that are written when it fails.
//
// What tests do to the operator and to Jaeger they do through [Cluster], whatever
// those are: Deployments of a kind cluster, or processes of an embedded one.
//
// The package never makes a cluster itself, nor reads a kubeconfig other than
// the sandbox's: both are the sandbox program's business.
package harness
