package spantree

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// ExplainOptions are options of [Result.ExplainWith]. The zero value is for files and logs.
type ExplainOptions struct {
	// Color colours the differences with ANSI sequences. The package reads neither the terminal nor
	// the environment. The caller should set it to false if NO_COLOR is set or the output is not a
	// terminal.
	Color bool
	// Width is the maximum number of characters in a line of the trees (default 160, at least 40).
	// Longer lines end in an ellipsis. A character with two columns in a terminal counts as one.
	Width int
	// Rows is the maximum number of lines of the trees (default 200). The maximum number of
	// differences is a quarter of it. A note states how many were omitted.
	Rows int
}

const (
	defaultWidth = 160
	leastWidth   = 40
	defaultRows  = 200
)

// Explain returns ExplainWith with the zero options.
func (r *Result) Explain() string { return r.ExplainWith(ExplainOptions{}) }

// ExplainWith returns the differences, closest matches first, and then the expected and the actual
// tree side by side. A mark before a line shows its difference: - the line has no span, + the span
// has no line, > the span has another parent or order, ~ a condition is not met. It returns the
// empty string if the match passed.
func (r *Result) ExplainWith(options ExplainOptions) string {
	switch {
	case r.OK():
		return ""
	case r == nil:
		return "no comparison\n"
	}
	if options.Width == 0 {
		options.Width = defaultWidth
	}
	if options.Rows <= 0 {
		options.Rows = defaultRows
	}
	p := &explanation{options: options, width: max(options.Width, leastWidth)}
	p.listDifferences(r.Differences())
	p.printTrees(rowsOf(r.compared()))
	return p.b.String()
}

// explanation is the text of an explanation.
type explanation struct {
	b       strings.Builder
	options ExplainOptions
	width   int
}

// The colours of differences. Other types have no colour.
var colors = map[DifferenceType]string{Missing: "\x1b[31m", Extra: "\x1b[32m", Moved: "\x1b[35m", Differing: "\x1b[33m", OverBudget: "\x1b[31m"}

const colorOff = "\x1b[0m"

func (p *explanation) paint(what DifferenceType, text string) string {
	if !p.options.Color || colors[what] == "" || strings.TrimSpace(text) == "" {
		return text
	}
	return colors[what] + text + colorOff
}

func (p *explanation) listDifferences(differences []Difference) {
	plural := "s"
	if len(differences) == 1 {
		plural = ""
	}
	fmt.Fprintf(&p.b, "%d difference%s:\n", len(differences), plural)
	shown := min(len(differences), max(p.options.Rows/4, 1))
	for _, d := range differences[:shown] {
		p.b.WriteString(p.paint(d.Type, cut(fmt.Sprintf("  %s %s: %s", d.Type.mark(), d.Type, d.what()), p.width)) + "\n")
		for _, detail := range d.Details {
			fmt.Fprintf(&p.b, "      %s\n", detail)
		}
	}
	if left := len(differences) - shown; left > 0 {
		fmt.Fprintf(&p.b, "  … and %d more\n", left)
	}
}

// printTrees writes the rows in two columns. The left column is as wide as necessary, at most half
// of the width.
func (p *explanation) printTrees(rows []row) {
	const title, separator = "expected", " | "
	shown := choose(rows, p.options.Rows)
	left := utf8.RuneCountInString(title)
	for _, i := range shown {
		if i >= 0 {
			left = max(left, utf8.RuneCountInString(rows[i].want))
		}
	}
	left = min(left, (p.width-len(separator))/2-2)
	right := p.width - left - len(separator) - 4
	fmt.Fprintf(&p.b, "\n  %-*s%s  actual\n", left, title, separator)
	for _, i := range shown {
		if i < 0 {
			fmt.Fprintf(&p.b, "  … %d rows without a difference\n", -i)
			continue
		}
		r := rows[i]
		text := p.paint(r.wantType, r.wantType.mark()+" "+pad(cut(r.want, left), left)) + separator +
			p.paint(r.gotType, r.gotType.mark()+" "+cut(r.got, right))
		p.b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	if left := len(rows) - counted(shown); left > 0 {
		fmt.Fprintf(&p.b, "  … and %d more rows\n", left)
	}
}

// cut shortens a text to a number of characters.
func cut(text string, width int) string {
	if len(text) <= width || utf8.RuneCountInString(text) <= width {
		return text
	}
	runes := 0
	for i := range text {
		if runes++; runes == width {
			return text[:i] + "…"
		}
	}
	return text
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
}

// nearby is the number of rows to show before and after a row with a difference.
const nearby = 2

// choose returns the indices of the rows to show. A negative number represents that many rows
// without a difference. If there are more rows than the limit, only rows with a difference, their
// ancestors and their neighbours are shown, up to the limit.
func choose(rows []row, limit int) []int {
	wanted := make([]bool, len(rows))
	for i, r := range rows {
		if r.wantType == "" && r.gotType == "" && len(rows) > limit {
			continue
		}
		for near := max(i-nearby, 0); near <= min(i+nearby, len(rows)-1); near++ {
			wanted[near] = true
		}
		for up := r.parent; up >= 0 && !wanted[up]; up = rows[up].parent {
			wanted[up] = true
		}
	}
	var shown []int
	for i, w := range wanted {
		last := len(shown) - 1
		switch {
		case !w && last >= 0 && shown[last] < 0:
			shown[last]--
		case len(shown) >= limit:
			return shown
		case w:
			shown = append(shown, i)
		default:
			shown = append(shown, -1)
		}
	}
	return shown
}

// counted returns the number of rows that the chosen indices represent.
func counted(shown []int) int {
	n := 0
	for _, i := range shown {
		n += max(-i, 1)
	}
	return n
}
