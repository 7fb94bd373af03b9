// Package scaffold generates the sandbox.yaml of a kubebuilder project from the files of the
// project.
//
// `sandbox init` calls [Read]. It returns a [Guess]: the text of the file and, for each field, the
// origin of its value, for the user to review. The package does not write to the project, does not
// build it, and does not prompt the user.
package scaffold
