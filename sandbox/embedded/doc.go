// Package embedded is a cluster without a container engine: a real control plane, cert-manager, Jaeger and the operator as
// processes of this machine, and a node that kwok plays.
//
// The entry type is [Cluster]. Its methods start one part each: [Cluster.Prepare] chooses ports and makes certificates, then
// come ControlPlane, Node, Jaeger, CertManager and Operator; [Cluster.Status] looks at the processes and [Cluster.Down] ends
// them. Each may be called again at any time and does only what is missing. Package provider/embedded calls them.
//
// Processes listen on 127.0.0.1 alone, but for cert-manager's webhook, which can't and demands a certificate of its
// caller instead. Each has credentials of its own: certificates for the parts of Kubernetes, tokens of their service
// accounts for cert-manager and the operator. The package applies no objects to the cluster; package apply does. It
// never signals a process that it can't prove to be the sandbox's; package process does that part.
//
// A launcher of its own, and not kwokctl's: that one has etcd listen without TLS, believes any process with the right
// number to be its own, and doesn't renew its certificates.
package embedded
