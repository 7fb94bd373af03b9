// Package ui shows the progress of the sandbox in a terminal.
//
// [NewProgress] returns a [Progress]. The plan in package main reports to its [Step]s. If the output
// is not a terminal, Progress writes plain lines without colors. [Colored], [Drawable] and [Size]
// describe an output. Commands print to a [Printer], which escapes terminal sequences.
//
// The package writes only to the output that the caller passes.
package ui
