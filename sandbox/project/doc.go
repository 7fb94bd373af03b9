// Package project reads sandbox.yaml: which operator the sandbox runs, how its image or program comes to be, which manifests
// install it, and which object shows what it does.
//
// The entries are [Load], for a file of the user's, and [Default], for the reference operator's, which is built into the
// program. Both give a [Project]: a [File], checked, and the files that it names. [Project.Render] reads those and gives the
// objects, and among them the Deployment of the manager; [Manifests.Process] is the same operator as a process of this
// machine. What later commands must know of it is a [Subject].
//
// The package never talks to a cluster and never builds anything. What a cluster needs changed about the objects is package
// install's.
package project
