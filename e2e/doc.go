// Package e2e tests the whole on a cluster: what a user does to a Head, what the
// cluster makes of it, and the trace that Jaeger has of that.
//
//	go test ./e2e
//
// uses the sandbox that is up, or brings one up and takes it down again: on kind or
// embedded, as the sandbox program chooses or SANDBOX_CLUSTER says. There is nothing
// here but tests; package harness is what they stand on, and the folder testdata has
// the expected trees, the same for both, and for each kind of cluster the list of the
// features that must have run.
package e2e
