// Package install puts the sandbox's components into a cluster: cert-manager, Jaeger, the operator and its sample;
// where no kubelet is, also the node that kwok plays.
//
// The entry types are [Cluster], the API server that everything goes to, and [Component], a named set of objects
// with a version and a meaning of "ready". The constructors [CertManager], [Jaeger], [Operator], [Sample] and [Node] render
// a component without talking to a cluster; Component.Apply and Component.Wait bring it up, both safe to repeat; [StatusOf]
// says later what is there, from the cluster alone. The sandbox's plan and the e2e harness call it.
//
// A component's programs are Pods, or, where its options have a WebhookAddress, processes that somebody else starts
// between Apply and Wait. The cluster then has everything but Deployments and Services, and [VersionOf] and [Serves] say
// what StatusOf would say elsewhere.
//
// The package never makes or deletes clusters, never loads images into nodes, and never reads the user's kubeconfig.
package install
