package view

import (
	"io"
	"math"
	"strings"
)

// TextOptions configures [Waterfall.WriteText]. The zero value suits pipes and files: plain text
// without truncation.
type TextOptions struct {
	// Width is the number of columns of the terminal; 0 means no limit. In a narrow terminal,
	// WriteText omits columns and truncates the texts of the tree.
	Width int
	// Color colors bars by span kind, and failed spans red.
	Color bool
}

// Terminal escape sequences for colors.
const (
	red   = "\x1b[31m"
	dim   = "\x1b[2m"
	reset = "\x1b[0m"
)

var kindColors = map[string]string{
	"SERVER": "\x1b[34m", "CONSUMER": "\x1b[36m", "PRODUCER": "\x1b[35m", "CLIENT": "\x1b[33m", "INTERNAL": "\x1b[32m",
}

const (
	plainAxis    = 40
	minAxis      = 20
	maxAxis      = 120
	minTree      = 24
	columnGap    = 2
	tickDistance = 8
)

// column is a column to the right of the tree.
type column struct {
	title string
	right bool
	text  func(Row) string
	width int
}

// layout is the selection of columns that fit a width.
type layout struct {
	tree    int
	columns []column
	// axis is the width of the bars; 0 if there is no room for them.
	axis int
	// notesBelow is the width of notes on separate lines; 0 appends notes to the line of the span.
	notesBelow int
}

// WriteText draws the trace: name, kind (or the service, if there are several), time since the first span's start, duration, and a bar on
// a time axis. Without a width, each span takes one line that ends with its notes. WriteText
// returns the error of out.
func (w *Waterfall) WriteText(out io.Writer, options TextOptions) error {
	if len(w.Rows) == 0 {
		return nil
	}
	l := w.layout(options.Width)
	var b strings.Builder
	writeLine(&b, []piece{{text: w.header(l), style: dim}}, options)
	for _, row := range w.Rows {
		writeLine(&b, w.line(l, row), options)
		if l.notesBelow == 0 {
			continue
		}
		for _, note := range notesOf(row) {
			prefix := cutLeft(row.Below, l.notesBelow/2)
			for _, part := range wrap(note.text, max(minAxis, l.notesBelow-cells(prefix))) {
				writeLine(&b, []piece{{text: prefix}, {text: part, style: note.style}}, options)
			}
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// piece is a part of a line with one style.
type piece struct{ text, style string }

// notesOf returns the notes of a row: its failures, and the trace that continues there.
func notesOf(row Row) []piece {
	var notes []piece
	for _, note := range row.Notes {
		notes = append(notes, piece{note, red})
	}
	if row.Trace != "" {
		notes = append(notes, piece{row.continued(), dim})
	}
	return notes
}

// writeLine writes a line without trailing spaces and without styles around blank text.
func writeLine(b *strings.Builder, pieces []piece, options TextOptions) {
	for len(pieces) > 0 {
		last := &pieces[len(pieces)-1]
		if last.text = strings.TrimRight(last.text, " "); last.text != "" {
			break
		}
		pieces = pieces[:len(pieces)-1]
	}
	for _, p := range pieces {
		if options.Color && p.style != "" && strings.TrimSpace(p.text) != "" {
			b.WriteString(p.style + p.text + reset)
			continue
		}
		b.WriteString(p.text)
	}
	b.WriteByte('\n')
}

// layout drops columns, least informative first, until the others fit: the kind, the start (the
// axis shows it too), the axis, and the duration. The tree gets the remaining width.
func (w *Waterfall) layout(width int) layout {
	kind := column{title: "KIND", text: func(r Row) string { return r.Kind }}
	if w.services > 1 {
		kind = column{title: "SERVICE", text: func(r Row) string { return r.Service }}
	}
	start := column{title: "START", right: true, text: func(r Row) string { return "+" + FormatDuration(r.Offset) }}
	duration := column{title: "TIME", right: true, text: func(r Row) string { return FormatDuration(r.Duration) }}
	l := layout{tree: cells("SPAN"), axis: plainAxis}
	for i := range w.Rows {
		l.tree = max(l.tree, cells(treeText(w.Rows[i])))
	}
	for _, c := range []*column{&kind, &start, &duration} {
		c.width = cells(c.title)
		for _, row := range w.Rows {
			c.width = max(c.width, cells(c.text(row)))
		}
	}
	if width <= 0 {
		l.columns = []column{kind, start, duration}
		return l
	}
	l.notesBelow = width
	natural := l.tree
	for _, try := range []struct {
		columns []column
		axis    bool
	}{
		{[]column{kind, start, duration}, true}, {[]column{start, duration}, true}, {[]column{duration}, true},
		{[]column{duration}, false}, {nil, false},
	} {
		l.columns, l.axis = try.columns, 0
		rest := width
		for _, c := range try.columns {
			rest -= columnGap + c.width
		}
		if try.axis {
			rest -= columnGap + minAxis
		}
		// Long names may take up to half of the terminal before they cost a column.
		if rest < min(natural, max(minTree, width/2)) && len(try.columns) > 0 {
			continue
		}
		l.tree = max(1, min(natural, rest))
		if try.axis {
			l.axis = min(maxAxis, minAxis+rest-l.tree)
		}
		break
	}
	return l
}

func treeText(row Row) string {
	return strings.Join(append([]string{row.Guides + row.Name}, row.Labels...), " ")
}

func (w *Waterfall) header(l layout) string {
	line := pad(cut("SPAN", l.tree), l.tree)
	for _, c := range l.columns {
		line += strings.Repeat(" ", columnGap) + align(c, c.title)
	}
	if l.axis == 0 {
		return line
	}
	return line + strings.Repeat(" ", columnGap) + w.axis(l.axis)
}

// axis returns a line with the times of the ticks at their positions. It omits ticks that do not
// fit.
func (w *Waterfall) axis(columns int) string {
	line := ""
	for _, tick := range w.Ticks(max(3, columns/tickDistance)) {
		at := int(float64(tick) / float64(w.Total) * float64(columns))
		text := formatTick(tick)
		if at+cells(text) > columns {
			break
		}
		if line != "" && cells(line) >= at {
			continue
		}
		line = pad(line, at) + text
	}
	return line
}

func align(c column, text string) string {
	if c.right {
		return padLeft(text, c.width)
	}
	return pad(text, c.width)
}

func (w *Waterfall) line(l layout, row Row) []piece {
	guides := row.Guides
	if cells(treeText(row)) > l.tree {
		guides = cutLeft(guides, l.tree/2)
	}
	name := cut(row.Name, l.tree-cells(guides))
	labels := cut(strings.TrimPrefix(treeText(row), row.Guides+row.Name), l.tree-cells(guides)-cells(name))
	text, barStyle := "", kindColors[row.Kind]
	if row.Failed {
		text, barStyle = red, red
	}
	pieces := []piece{
		{guides, dim}, {name, text},
		{labels, dim}, {text: strings.Repeat(" ", max(0, l.tree-cells(guides+name+labels)))},
	}
	rest := ""
	for _, c := range l.columns {
		rest += strings.Repeat(" ", columnGap) + align(c, c.text(row))
	}
	pieces = append(pieces, piece{rest, text})
	if l.axis > 0 {
		before, bar := w.bar(row, l.axis)
		after := l.axis - before - cells(bar)
		pieces = append(pieces, piece{text: strings.Repeat(" ", columnGap+before)}, piece{bar, barStyle}, piece{text: strings.Repeat(" ", max(0, after))})
	}
	if l.notesBelow == 0 {
		before := "  "
		for _, note := range notesOf(row) {
			pieces, before = append(pieces, piece{before + note.text, note.style}), ", "
		}
	}
	return pieces
}

// eighths are the block characters, indexed by the eighths of a column that they fill.
var eighths = []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

// bar returns the bar of a span on an axis, and the number of blank columns before it. The bar
// starts at a full column, because no block character fills a column from the right. It is never
// empty.
func (w *Waterfall) bar(row Row, columns int) (before int, bar string) {
	from := float64(row.Offset) / float64(w.Total)
	to := from + float64(row.Duration)/float64(w.Total)
	before = min(columns-1, int(from*float64(columns)))
	filled := max(1, int(math.Round((to-from)*float64(columns)*8)))
	filled = min(filled, (columns-before)*8)
	return before, strings.Repeat("█", filled/8) + eighths[filled%8]
}
