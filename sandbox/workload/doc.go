// Package workload looks at the components that run in a cluster: their status, versions, Pods,
// logs and leases.
//
// [StatusOf] reports on a component from the cluster only, without its manifests. A component is
// ready if its Deployments are and if it [Serves]: components with webhooks must answer
// admission requests. If the programs of a component are processes beside the API server, the
// cluster has no Deployment of them; then [VersionOf] and [Serves] replace StatusOf.
//
// Except for dry runs and [FreeLeases], the functions only read.
package workload
