package ui

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Colored reports whether an output is a terminal that shows colors. It returns false if TERM is
// "dumb" or NO_COLOR is not empty.
func Colored(out io.Writer) bool {
	return Drawable(out) && os.Getenv("NO_COLOR") == ""
}

// Drawable reports whether an output, or the one below a [Printer], is a terminal with cursor control. It returns false if TERM is
// "dumb".
func Drawable(out io.Writer) bool {
	file, ok := Raw(out).(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

// Size returns the columns and rows of a terminal. It returns zeros if the output is not a terminal
// or its size is unknown.
func Size(out io.Writer) (columns, rows int) {
	file, ok := Raw(out).(*os.File)
	if !ok {
		return 0, 0
	}
	columns, rows, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0, 0
	}
	return columns, rows
}
