// Package faults breaks sandboxes and repairs them with the commands of a user. It contains only
// tests, which build the sandbox program and run it as another process.
//
//	go test ./e2e/faults
//
// Each test has a sandbox with its own name and folder, and always removes it. Package e2e tests
// the traces. This package only checks traces with spans of the control plane, and the sample's
// trace on an existing cluster.
package faults
