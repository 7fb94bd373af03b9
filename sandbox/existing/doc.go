// Package existing is the way to a cluster that a sandbox did not make: a copy of the part of the user's kubeconfig that leads
// there, made by [Find] and [Source.Copy], and [Forward], which brings ports of a Pod to this machine.
//
// Package up calls it. It never writes to the user's kubeconfig, and changes nothing in the cluster; package apply does.
package existing
