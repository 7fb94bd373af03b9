// Package project reads sandbox.yaml: the operator that the sandbox runs, how its image or program
// is built, the manifests that install it, and the sample object whose trace is shown.
//
// [Load] reads a file of the user, and [Default] returns the built-in file of the reference
// operator. Both return a [Project], which has a valid [File] and access to the files that it
// names. [Project.Render] returns the objects and finds the Deployment of the manager.
// [Manifests.Process] describes the operator as a process on this machine. A [Subject] contains the
// data for later commands.
// The package does not connect to a cluster and does not build anything.
package project
