// Package bundle stores the images of a kind sandbox and the programs of an embedded one in one
// file, for machines without a network.
//
// [Create] writes images and programs to a file; [Open] reads it. A [Bundle] is an
// [artifact.Provider], and also has the images and the programs that a sandbox otherwise builds. The
// commands `sandbox bundle create` and `sandbox up --bundle` call the package.
//
// The file is a tar archive with an OCI image layout, which other programs can read. Images share
// layers. The archive starts with a [Record], which describes the bundle, and the charts
// of components. It ends with the SHA-256 of all preceding bytes. Equal content results in equal
// bytes. Open reads the whole file, and returns an error if the file is truncated or modified.
//
// The package never calls an engine, a cluster or a registry.
package bundle
