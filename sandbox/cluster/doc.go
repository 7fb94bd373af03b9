// Package cluster makes, finds, mends and deletes the kind cluster of a sandbox.
//
// [Detect] finds a container engine that can start privileged containers, by starting one. A [Cluster] is one kind
// cluster on such an engine: [Cluster.Ensure] makes it, or adopts or repairs the one that an earlier run made, and
// [Cluster.Delete] removes it with everything that belongs to it. The steps in sandbox/plan.go call it. It never
// touches a cluster that another program made, nor the user's kubeconfig, and it never believes what an engine says
// about a container's state: a node lives if a command runs in it and its API server answers.
package cluster
