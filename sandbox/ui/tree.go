package ui

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// TreeOptions say how [WriteTree] prints a trace. The zero value prints plain
// text without attributes.
type TreeOptions struct {
	// Color prints failed spans in red. [Colored] tells whether an output wants it.
	Color bool
	// Attributes are the keys of attributes to print, in this order, of the spans
	// that have them.
	Attributes []string
}

// Colored reports whether an output is a terminal that shows colors: not one
// called dumb, and not where NO_COLOR has a value.
func Colored(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(file.Fd()))
}

// maxTreeDepth bounds the indentation: below it the lines no longer go deeper.
const maxTreeDepth = 50

const (
	red   = "\x1b[31m"
	reset = "\x1b[0m"
)

// WriteTree prints the spans of a trace as a tree: name, kind, time from the
// first span's start, duration, and what is wrong. Whatever a span's texts hold,
// each span is one line, and control characters are escaped. It gives the error
// of writing.
func WriteTree(out io.Writer, forest *spantree.Forest, options TreeOptions) error {
	rows := treeRows(forest, options)
	var widths [4]int
	for _, row := range rows {
		for i, cell := range row.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := pad(row.cells[0], widths[0]) + "  " + pad(row.cells[1], widths[1]) +
			"  " + padLeft(row.cells[2], widths[2]) + "  " + padLeft(row.cells[3], widths[3])
		if row.details != "" {
			line += "  " + row.details
		}
		line = strings.TrimRight(line, " ")
		if row.failed && options.Color {
			line = red + line + reset
		}
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// treeRow is a span's line: name with its branches, kind, offset and duration in
// columns, and details of any length.
type treeRow struct {
	cells   [4]string
	details string
	failed  bool
}

func treeRows(forest *spantree.Forest, options TreeOptions) []treeRow {
	var rows []treeRow
	first := firstStart(forest)
	// branches[d] is what the lines below a node of depth d start with.
	branches := []string{""}
	last := lastChildren(forest)
	forest.Walk(func(n *spantree.Node, depth int) bool {
		shown := min(depth, maxTreeDepth)
		branch, below := "", ""
		if shown > 0 {
			branch, below = branches[shown-1]+"├─ ", branches[shown-1]+"│  "
			if last[n] {
				branch, below = branches[shown-1]+"└─ ", branches[shown-1]+"   "
			}
		}
		branches = append(branches[:shown], below)
		rows = append(rows, treeRow{
			cells: [4]string{
				branch + escape(n.Span.Name), escape(n.Span.Kind),
				"+" + formatDuration(n.Span.Start.Sub(first)), formatDuration(n.Span.Duration()),
			},
			details: details(n, options.Attributes),
			failed:  n.Span.Code() == spantree.StatusError || n.Defect != "",
		})
		return true
	})
	return rows
}

// lastChildren marks the last child of every node.
func lastChildren(forest *spantree.Forest) map[*spantree.Node]bool {
	last := map[*spantree.Node]bool{}
	forest.Walk(func(n *spantree.Node, _ int) bool {
		if count := len(n.Children); count > 0 {
			last[n.Children[count-1]] = true
		}
		return true
	})
	return last
}

func firstStart(forest *spantree.Forest) time.Time {
	var first time.Time
	forest.Walk(func(n *spantree.Node, _ int) bool {
		if first.IsZero() || n.Span.Start.Before(first) {
			first = n.Span.Start
		}
		return true
	})
	return first
}

// details lists the attributes asked for, an error, and a wrong place in the tree.
func details(n *spantree.Node, keys []string) string {
	var parts []string
	for _, key := range keys {
		if value, found := n.Span.Attributes[key]; found {
			parts = append(parts, escape(key)+"="+escape(spantree.FormatValue(value)))
		}
	}
	if n.Span.Code() == spantree.StatusError {
		parts = append(parts, "error", escape(n.Span.Status.Message))
	}
	switch n.Defect {
	case "":
	case spantree.DefectOrphan:
		parts = append(parts, "(parent "+escape(n.Span.ParentSpanID)+" is missing)")
	default:
		parts = append(parts, "("+string(n.Defect)+")")
	}
	return strings.TrimRight(strings.Join(parts, " "), " ")
}

// escape makes text harmless on a terminal: what isn't printable, or would hide
// the direction of what follows, is written as in a Go string.
func escape(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// formatDuration gives three digits at most before the unit changes, which is
// as much as a reader compares.
func formatDuration(d time.Duration) string {
	if d < 0 {
		return "-" + formatDuration(-d)
	}
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%dns", d.Nanoseconds())
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.2fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}

func padLeft(text string, width int) string {
	return strings.Repeat(" ", width-utf8.RuneCountInString(text)) + text
}
