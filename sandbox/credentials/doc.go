// Package credentials gives processes what they need to be users of a Kubernetes cluster: a kubeconfig, and where the user is a
// ServiceAccount, a token of it.
//
// [WriteKubeconfig] writes the one, and an [Issuer] makes sure of the other with [Issuer.Token], which asks the API server whether
// it still takes the token that is there. Both write files in one step, for their owner alone, and report whether they changed
// anything, so that the caller can restart the process that had read them. A process re-reads a token of its kubeconfig's token
// file by itself.
//
// Package embedded calls it once the API server answers. It never makes ServiceAccounts, never grants them anything, never
// touches the user's own kubeconfig, and never logs a token.
package credentials
