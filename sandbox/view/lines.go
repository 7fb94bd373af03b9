package view

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// WriteNew writes a line for each row that is not in seen, ordered by start, and adds those rows
// to seen. It suits outputs that are not terminals: spans arrive when they end, children before
// their parents. A line has the time of day, duration, kind, name, the name of the parent, the
// trace if it differs from the parent's, the error, and words. It has no note about a missing parent,
// which can still arrive. WriteNew returns the error of out, and then leaves seen unchanged.
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
		by := row.Kind
		if w.services > 1 {
			by = row.Service
		}
		fmt.Fprintf(&b, "%s  %7s  %-8s  %s", w.Begin.Add(row.Offset).UTC().Format("15:04:05.000Z"), format.Duration(row.Duration), by,
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
		for _, word := range row.Words {
			b.WriteString("  " + word.Text)
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

// key identifies a row while more spans arrive. It includes the name because span ids are not
// always unique.
func (r Row) key() string { return r.spanID + " " + r.Name }
