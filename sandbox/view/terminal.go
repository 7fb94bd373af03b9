package view

import (
	"io"
	"math"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/view/fact"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
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
	// width is the width of a line; 0 means no limit.
	width int
	// room is the width of the bars and words of a row.
	room int
}

// WriteText draws the trace: name, kind (or the service, if there are several), time since the first span's start, duration, a bar on
// a time axis, and words. Without a width, a line has all notes and words of its span. In a
// terminal, words without room are marks, and a last line has the meanings of the marks; only notes that don't fit have lines of
// their own. WriteText returns the error of out.
func (w *Waterfall) WriteText(out io.Writer, options TextOptions) error {
	if len(w.Rows) == 0 {
		return nil
	}
	l := w.layout(options.Width)
	var b strings.Builder
	writeLine(&b, []piece{{text: w.header(l), style: dim}}, options)
	marks := map[string]bool{}
	for _, row := range w.Rows {
		line, hidden := w.line(l, row)
		writeLine(&b, line, options)
		for _, word := range hidden {
			marks[word.Mark] = true
		}
		for _, note := range notesOf(row) {
			if !slices.Contains(hidden, note) {
				continue
			}
			prefix := format.CutLeft(row.Below, l.width/2)
			for _, part := range format.Wrap(note.Text, max(minAxis, l.width-format.Cells(prefix))) {
				writeLine(&b, []piece{{text: prefix}, {part, style(note)}}, options)
			}
		}
	}
	if legend := legendOf(marks); legend != "" {
		writeLine(&b, []piece{{format.Limit(legend, l.width), dim}}, options)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// piece is a part of a line with one style.
type piece struct{ text, style string }

// notesOf returns the notes of a row: its failures, and the trace that continues there.
func notesOf(row Row) []fact.Word {
	var notes []fact.Word
	for _, note := range row.Notes {
		notes = append(notes, fact.Word{Text: note, Mark: fact.MarkFailure, Bad: true})
	}
	if row.Trace != "" {
		notes = append(notes, fact.Word{Text: row.continued(), Mark: fact.MarkTrace})
	}
	return notes
}

func style(w fact.Word) string {
	if w.Bad {
		return red
	}
	return dim
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
	start := column{title: "START", right: true, text: func(r Row) string { return "+" + format.Duration(r.Offset) }}
	duration := column{title: "TIME", right: true, text: func(r Row) string { return format.Duration(r.Duration) }}
	l := layout{tree: format.Cells("SPAN"), axis: plainAxis}
	for i := range w.Rows {
		l.tree = max(l.tree, format.Cells(treeText(w.Rows[i])))
	}
	for _, c := range []*column{&kind, &start, &duration} {
		c.width = format.Cells(c.title)
		for _, row := range w.Rows {
			c.width = max(c.width, format.Cells(c.text(row)))
		}
	}
	if width <= 0 {
		l.columns = []column{kind, start, duration}
		return l
	}
	l.width = width
	gutter := w.gutter()
	natural := l.tree
	for _, try := range []struct {
		columns []column
		axis    bool
	}{
		{[]column{kind, start, duration}, true}, {[]column{start, duration}, true}, {[]column{duration}, true},
		{[]column{duration}, false}, {nil, false},
	} {
		l.columns, l.axis = try.columns, 0
		rest := width - gutter
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
		l.room = gutter + max(0, rest-l.tree)
		if try.axis {
			l.axis = min(maxAxis, minAxis+rest-l.tree)
			l.room += minAxis
		}
		break
	}
	return l
}

func treeText(row Row) string {
	return strings.Join(append([]string{row.Guides + row.Name}, row.Labels...), " ")
}

func (w *Waterfall) header(l layout) string {
	line := format.Pad(format.Limit("SPAN", l.tree), l.tree)
	for _, c := range l.columns {
		line += strings.Repeat(" ", columnGap) + align(c, c.title)
	}
	if l.axis == 0 {
		return line
	}
	return line + strings.Repeat(" ", columnGap) + w.axis(l.axis)
}

func align(c column, text string) string {
	if c.right {
		return format.PadLeft(text, c.width)
	}
	return format.Pad(text, c.width)
}

// line returns the line of a row, and the words that it shows only as marks or not at all.
func (w *Waterfall) line(l layout, row Row) (pieces []piece, hidden []fact.Word) {
	guides := row.Guides
	if format.Cells(treeText(row)) > l.tree {
		guides = format.CutLeft(guides, l.tree/2)
	}
	name := format.Limit(row.Name, l.tree-format.Cells(guides))
	labels := format.Limit(strings.TrimPrefix(treeText(row), row.Guides+row.Name), l.tree-format.Cells(guides)-format.Cells(name))
	text := ""
	switch {
	case row.Failed:
		text = red
	case row.Wait:
		text = dim
	}
	pieces = []piece{
		{guides, dim}, {name, text},
		{labels, dim}, {text: strings.Repeat(" ", max(0, l.tree-format.Cells(guides+name+labels)))},
	}
	rest := ""
	for _, c := range l.columns {
		rest += strings.Repeat(" ", columnGap) + align(c, c.text(row))
	}
	pieces = append(pieces, piece{rest, text})
	words := append(notesOf(row), row.Words...)
	if l.width > 0 {
		lane, hidden := w.lane(l, row, words)
		return append(pieces, lane...), hidden
	}
	before, bar := w.bar(row, l.axis)
	pieces = append(pieces, piece{text: strings.Repeat(" ", columnGap+before)}, piece{bar, barStyle(row)}, piece{text: strings.Repeat(" ", max(0, l.axis-before-format.Cells(bar)))})
	separator := "  "
	for _, word := range words {
		pieces, separator = append(pieces, piece{separator + word.Text, style(word)}), ", "
	}
	return pieces, nil
}

// eighths are the block characters, indexed by the eighths of a column that they fill.
var eighths = []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

// bar returns the bar of a span on an axis, and the number of blank columns before it. The bar
// starts at a full column, because no block character fills a column from the right. It is never
// empty. A wait is a line, and a bar is a line in folded gaps.
func (w *Waterfall) bar(row Row, columns int) (before int, bar string) {
	from, to := w.at(row.Offset), w.at(row.Offset+row.Duration)
	before = min(columns-1, int(from*float64(columns)))
	filled := max(1, int(math.Round((to-from)*float64(columns)*8)))
	filled = min(filled, (columns-before)*8)
	if row.Wait {
		return before, strings.Repeat(waitBar, max(1, filled/8))
	}
	runes := []rune(strings.Repeat("█", filled/8) + eighths[filled%8])
	for _, f := range w.folds {
		start, end := int(math.Ceil(w.at(f.from)*float64(columns))), int(w.at(f.to)*float64(columns))
		for at := max(start, before); at < min(end, before+len(runes)); at++ {
			runes[at-before] = []rune(waitBar)[0]
		}
	}
	return before, string(runes)
}
