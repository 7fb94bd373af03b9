// Package ui is what a person sees of the sandbox's work in a terminal: steps while they run.
//
// [NewProgress] gives the [Progress] whose [Step]s the plan in package up reports to. Where the output is no terminal, it
// writes plain lines without colors. [Colored], [Drawable] and [Size] tell what an output is.
//
// The package decides nothing and never writes to anything but the output that it is given.
package ui
