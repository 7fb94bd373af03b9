// Package install puts the sandbox's components into a cluster: cert-manager, Jaeger, the operator and its sample.
//
// The entry types are [Cluster], the API server that everything goes to, and [Component], a named set of objects
// with a version and a meaning of "ready". The constructors [CertManager], [Jaeger], [Operator] and [Sample] render a
// component without talking to a cluster; Component.Apply and Component.Wait bring it up, both safe to repeat; [StatusOf]
// says later what is there, from the cluster alone. The sandbox's plan and the e2e harness call it.
//
// The package never makes or deletes clusters, never loads images into nodes, and never reads the user's kubeconfig.
package install
