// Package credentials writes the credentials with which processes use a Kubernetes cluster:
// kubeconfigs, ServiceAccount tokens and client certificates.
//
// [WriteKubeconfig] writes a kubeconfig. [Issuer.Token] ensures a token and [Issuer.Certificate] a
// client certificate that the API server accepts. All write files atomically, readable only for
// their owner. They report changes, so that the caller can restart the process that uses the files.
// A process with a kubeconfig re-reads its token file without a restart.
//
// Package embedded calls this package when the API server is ready. This package does not create
// ServiceAccounts, does not grant permissions, does not change the user's own kubeconfig, and does
// not log tokens.
package credentials
