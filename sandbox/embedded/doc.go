// Package embedded runs a cluster without a container engine. A real control plane and the
// components of the table run as processes of this machine; kwok simulates the node.
//
// The entry type is [Cluster]. [Cluster.Prepare] chooses ports and creates certificates. The
// methods ControlPlane, Node, Jaeger and Operator each start one part, and Programs starts the
// programs that a row of the table describes.
// [Cluster.Status] inspects the processes and [Cluster.Down] stops them. All methods are
// idempotent. Package provider/embedded calls them.
//
// Processes listen only on 127.0.0.1, except a webhook of the table that has no such option. It
// requires a client certificate instead. Each process has its own credentials: certificates for the
// parts of Kubernetes, service account tokens for the others. The package does
// not install objects into the cluster; package apply does. It never signals a process that it
// cannot identify as a process of the sandbox; see package process.
//
// The package does not use the launcher of kwokctl. With that launcher, etcd listens without TLS,
// any process with a recorded pid counts as kwokctl's own, and certificates are not renewed.
package embedded
