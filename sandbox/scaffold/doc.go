// Package scaffold writes the sandbox.yaml of a kubebuilder project, from what the project's files tell.
//
// [Read] is its entry; `sandbox init` calls it. What it finds out is a [Guess]: the file's text, and for each field where it is
// from, for people to judge. It never writes into the project itself, and never builds or asks anything.
package scaffold
