// Package adopted runs an operator that is not this repository's own in a sandbox, as a user of the sandbox does: the small operator of
// the library's tests adopts the library by the document's patches, `sandbox init` writes its sandbox.yaml, `sandbox up -f` builds
// and installs it, and the trace of its sample must be as expected. The cluster is the one that SANDBOX_CLUSTER names.
//
// There is nothing here but tests; package rig runs the program.
package adopted
