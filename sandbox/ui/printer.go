package ui

import (
	"io"

	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// Printer is an output for text. It escapes everything that a terminal could interpret: control
// characters except line feeds and tabs, marks that change the text direction, and bytes that are
// not UTF-8. Each Write must have whole characters. A Printer is as safe for concurrent use as its
// output.
//
// All commands print to a Printer. [Raw] is for documents that escape themselves, and for logs.
type Printer struct{ out io.Writer }

// NewPrinter returns a Printer that writes to out.
func NewPrinter(out io.Writer) *Printer { return &Printer{out} }

// Write implements [io.Writer].
func (p *Printer) Write(text []byte) (int, error) {
	if _, err := io.WriteString(p.out, format.EscapeText(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Raw returns the output below a [Printer]. It returns other outputs unchanged.
func Raw(out io.Writer) io.Writer {
	if p, ok := out.(*Printer); ok {
		return p.out
	}
	return out
}
