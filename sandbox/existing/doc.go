// Package existing connects to a cluster that the sandbox did not create. [Find] and [Source.Copy]
// copy one context of the user's kubeconfig. [Forward] forwards ports of this machine to a Pod.
//
// Package provider/existing calls it. The package never writes the kubeconfig of the user, and never
// changes the cluster; package apply does.
package existing
