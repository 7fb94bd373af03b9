// Package scaffold generates the sandbox.yaml of an operator from the files of its project.
//
// `sandbox init` calls [Read]. It returns a [Guess]: the text of the file and, for each field, the
// origin of its value, for the user to review. The package does not write to the project, does not
// build it, and does not prompt the user. It supports projects of kubebuilder and operator-sdk, and
// projects without a PROJECT file that have a similar layout.
package scaffold
