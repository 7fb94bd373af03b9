// Package e2e tests the whole project on a cluster: the action of a user on a Head, the reactions
// of the cluster, and the trace in Jaeger.
//
//	go test ./e2e
//
// uses the running sandbox, or creates one and takes it down again. It is on kind or embedded, as
// the sandbox program or SANDBOX_CLUSTER chooses. The package contains only tests. Package harness
// is their base. The folder testdata has the expected trees, which are the same for both kinds of
// cluster, and for each kind the list of the features that must run.
package e2e
