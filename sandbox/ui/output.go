package ui

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Colored reports whether an output is a terminal that shows colors: not one called dumb, and not where NO_COLOR has a value.
func Colored(out io.Writer) bool {
	return Drawable(out) && os.Getenv("NO_COLOR") == ""
}

// Drawable reports whether an output is a terminal that can be drawn on: not one called dumb.
func Drawable(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

// Size gives the columns and rows of an output that is a terminal, and zeros of any other, or where it doesn't tell.
func Size(out io.Writer) (columns, rows int) {
	file, ok := out.(*os.File)
	if !ok {
		return 0, 0
	}
	columns, rows, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0, 0
	}
	return columns, rows
}
