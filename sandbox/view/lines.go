package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteNew writes a line for each span that is not in seen, by their starts, and notes them there: time of day, duration, kind,
// name, what it is below, the trace if that is another one, and what is wrong with it. It suits outputs that can't be drawn on: spans come when they end, before
// those that they are below. What is wrong with a span's place is left out: its parent may still come. It gives the error of
// writing; nothing is noted then.
func (w *Waterfall) WriteNew(out io.Writer, seen map[string]bool) error {
	var fresh []Row
	for _, row := range w.Rows {
		if !seen[row.key()] {
			fresh = append(fresh, row)
		}
	}
	slices.SortStableFunc(fresh, func(a, b Row) int { return int(min(1, max(-1, a.Offset-b.Offset))) })
	var b strings.Builder
	for _, row := range fresh {
		fmt.Fprintf(&b, "%s  %7s  %-8s  %s", w.Begin.Add(row.Offset).UTC().Format("15:04:05.000Z"), FormatDuration(row.Duration), row.Kind,
			strings.Join(append([]string{row.Name}, row.Labels...), " "))
		if row.Parent >= 0 {
			fmt.Fprintf(&b, "  below %s", w.Rows[row.Parent].Name)
		}
		if row.Trace != "" {
			b.WriteString("  " + row.continued())
		}
		if row.failure != "" {
			b.WriteString("  " + row.failure)
		}
		b.WriteByte('\n')
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	for _, row := range fresh {
		seen[row.key()] = true
	}
	return nil
}

// key tells rows of a trace apart while more come, though ids may be taken twice.
func (r Row) key() string { return r.spanID + " " + r.Name }
