package view

import (
	"cmp"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/view/fact"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// waitBar is the bar of a wait, and of a span in a folded gap.
const waitBar = "┄"

// maxGutter is the most columns for marks that are kept free beside the axis.
const maxGutter = 4

// gutter returns the width that a terminal keeps free for marks.
func (w *Waterfall) gutter() int {
	most := 0
	for _, row := range w.Rows {
		if words := len(notesOf(row)) + len(row.Words); words > 0 {
			most = max(most, words+1)
		}
	}
	return min(most, maxGutter)
}

func barStyle(row Row) string {
	switch {
	case row.Failed:
		return red
	case row.Wait:
		return dim
	}
	return kindColors[row.Kind]
}

// lane returns the bar of a row with its words: to the right of the bar, or else to the left of it,
// or else the last of them as marks.
func (w *Waterfall) lane(l layout, row Row, words []fact.Word) (pieces []piece, hidden []fact.Word) {
	before, bar := 0, ""
	if l.axis > 0 {
		before, bar = w.bar(row, l.axis)
	}
	right, left := l.room-before-format.Cells(bar)-1, before-1
	if l.axis == 0 {
		right = l.room - columnGap
	}
	fitted, hidden := fit(words, right)
	if len(hidden) > 0 && wordsWidth(shortened(words)) <= left {
		fitted, _ = fit(words, left)
		used := 0
		for _, p := range fitted {
			used += format.Cells(p.text)
		}
		pieces = append([]piece{{text: strings.Repeat(" ", columnGap+left-used)}}, fitted...)
		return append(pieces, piece{text: " "}, piece{bar, barStyle(row)}), nil
	}
	pieces = []piece{{text: strings.Repeat(" ", columnGap+before)}, {bar, barStyle(row)}, {text: " "}}
	if l.axis == 0 {
		pieces = pieces[:1]
	}
	return append(pieces, fitted...), hidden
}

// wordsWidth returns the columns of words.
func wordsWidth(words []fact.Word) int {
	columns := 0
	for _, word := range words {
		columns += format.Cells(word.Text)
	}
	return columns + 2*max(0, len(words)-1)
}

// shortened returns the words without details.
func shortened(words []fact.Word) []fact.Word {
	short := slices.Clone(words)
	for i, word := range short {
		short[i].Text = cmp.Or(word.Short, word.Text)
	}
	return short
}

// fit returns as many words as fit into a number of columns, if necessary without their details,
// and marks for the others, which it also returns.
func fit(words []fact.Word, columns int) (pieces []piece, hidden []fact.Word) {
	if wordsWidth(words) > columns {
		words = shortened(words)
	}
	shown := len(words)
	for shown > 0 {
		needed := wordsWidth(words[:shown])
		if rest := len(words) - shown; rest > 0 {
			needed += 1 + rest
		}
		if needed <= columns {
			break
		}
		shown--
	}
	separator := ""
	for _, word := range words[:shown] {
		pieces, separator = append(pieces, piece{separator + word.Text, style(word)}), ", "
	}
	separator = strings.Repeat(" ", min(1, shown))
	for i, word := range words[shown:] {
		if shown > 0 || i < columns {
			pieces, separator = append(pieces, piece{separator + word.Mark, style(word)}), ""
		}
	}
	return pieces, words[shown:]
}

// legendOf returns the meanings of marks.
func legendOf(marks map[string]bool) string {
	var texts []string
	for _, m := range fact.Marks {
		if marks[m.Mark] {
			texts = append(texts, m.Mark+" "+m.Text)
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return "marks: " + strings.Join(texts, ", ")
}
