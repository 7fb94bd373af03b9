package view

import (
	"fmt"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

func (w *Waterfall) summary() string {
	text := fmt.Sprintf("%d spans", w.spans)
	if w.spans == 1 {
		text = "1 span"
	}
	if shown := w.shown(); shown < w.spans {
		text = fmt.Sprintf("%s: %d of %d spans", w.only, shown, w.spans)
	}
	if w.Total > 1 { // Otherwise all spans have the same instant.
		text += ", " + format.Duration(w.Total)
	}
	failed := 0
	for _, row := range w.Rows {
		if row.Failed {
			failed++
		}
	}
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	return text
}

// describe returns the description of the trace for screen readers.
func (w *Waterfall) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Trace %s: %s.", w.TraceID, w.summary())
	if w.why != nil {
		b.WriteString(" " + format.Escape(w.why.summary) + ".")
	}
	for i, row := range w.Rows {
		if i == maxDescribed {
			fmt.Fprintf(&b, " And %d more.", len(w.Rows)-i)
			break
		}
		fmt.Fprintf(&b, " %s", row.Name)
		if row.Parent >= 0 {
			fmt.Fprintf(&b, " below %s", w.Rows[row.Parent].Name)
		}
		fmt.Fprintf(&b, ": %s after %s", format.Duration(row.Duration), format.Duration(row.Offset))
		for _, note := range notesOf(row) {
			b.WriteString(", " + note.Text)
		}
		for _, word := range row.Words {
			b.WriteString(", " + word.Text)
		}
		b.WriteString(".")
	}
	for _, f := range w.folds {
		fmt.Fprintf(&b, " The time axis is shorter by %s after %s.", format.Duration(f.to-f.from), format.Duration(f.from))
	}
	return b.String()
}
