// Package ui is what a person sees of the sandbox in a terminal: steps while they run, and traces as trees.
//
// [NewProgress] gives the [Progress] whose [Step]s the plan in package up reports to; [WriteTree] prints a trace for
// `sandbox up` and `sandbox trace`. Where the output is no terminal, both write plain lines without colors.
//
// The package decides nothing and never writes to anything but the output that it is given.
package ui
