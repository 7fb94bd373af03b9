// Package cluster creates, finds, repairs and deletes the kind cluster of a sandbox.
//
// A [Cluster] is one kind cluster on an engine of package engine. [Cluster.Ensure] creates it, or
// adopts or repairs the cluster of an earlier run. [Cluster.Delete] deletes it with everything that
// belongs to it. The steps in sandbox/plan.go call it. It never changes the kubeconfig of the user
// or a cluster that another program created. It does not trust the engine about the state of a
// container: a node is alive if a command runs in it and its API server answers.
package cluster
