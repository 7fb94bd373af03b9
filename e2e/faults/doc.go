// Package faults breaks sandboxes and mends them with the commands that a user has: nothing here but tests, which build the
// sandbox program and run it as another process.
//
//	go test ./e2e/faults
//
// Each test has a sandbox of its own name and folder, and removes it whatever happens. Package e2e, beside it, tests the
// traces; this one looks at none but where the control plane takes part in them, and at the sample's on a cluster that was there before.
package faults
