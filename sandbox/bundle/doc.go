// Package bundle keeps the images of a kind sandbox in one file, for machines without a network.
//
// [Create] writes the images of an [artifact.Provider] and of a build.Builder to a file, and [Open] reads it. A [Bundle] is a Provider, and has
// what a sandbox otherwise builds. The commands `sandbox bundle create` and `sandbox up --bundle` are their callers.
//
// The file is a tar archive with an OCI image layout, which other programs read too, layers shared. Before the layout it has a
// [Record], which says what the bundle is for, and cert-manager's chart; at its end the SHA-256 of everything before it. Equal
// content makes equal bytes. Open reads the whole file, and gives out nothing of one that was cut off or altered.
//
// The package never talks to an engine, a cluster or a registry.
package bundle
