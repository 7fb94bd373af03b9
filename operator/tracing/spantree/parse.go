package spantree

import (
	"fmt"
	"strings"
)

const (
	indentation   = "  "
	byteOrderMark = "\uFEFF"
	// maxDepth limits the recursion over a parsed tree. Real traces of operators have fewer than
	// twenty levels.
	maxDepth = 1000
)

// ParseError is a syntax error in the text of an expected tree, with its position.
type ParseError struct {
	// File is the file name that the caller passed to [Parse].
	File string
	// Line and Column count from 1. Column counts bytes.
	Line, Column int
	// Problem describes the error and the correct syntax.
	Problem string
}

// Error returns "file:line:column: problem". Editors turn this format into a link.
func (e *ParseError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
}

// Parse reads an expected tree. The file name only occurs in errors, which are of type
// *[ParseError]. Parse returns an error for a text without an expected span: it would expect that
// nothing happened, which is usually a mistake.
//
// Lines can end in CRLF, and the text can start with a byte order mark. Parse keeps variables, and
// [Tree.Fill] replaces them. The time is linear in the length of the text.
func Parse(file, text string) (*Tree, error) {
	tree, _, err := parse(file, text)
	return tree, err
}

// layout is the part of the text that is not in the tree. [Update] needs it.
type layout struct {
	// lines are the lines of the text, without line ends.
	lines []string
	// comments are the comments at the ends of lines, by line number, with the spaces before them.
	comments map[int]string
	// open has the line numbers of "...", by the line number of the parent, or 0 for the roots.
	open map[int]int
	// budget is the line number of the budget, or 0 without one.
	budget int
}

// parser reads a text line by line.
type parser struct {
	file string
	// path[d] is the parent of lines with depth d.
	path   []*Expected
	layout *layout
	budget Budget
}

func parse(file, text string) (*Tree, *layout, error) {
	root := &Expected{}
	l := &layout{comments: map[int]string{}, open: map[int]int{}}
	p := &parser{file: file, path: []*Expected{root}, layout: l}
	something := false
	for raw := range strings.SplitSeq(strings.TrimPrefix(text, byteOrderMark), "\n") {
		raw = strings.TrimSuffix(raw, "\r")
		l.lines = append(l.lines, raw)
		found, err := p.line(&lineParser{file: file, line: len(l.lines), text: strings.TrimRight(raw, " \t")})
		if err != nil {
			return nil, nil, err
		}
		something = something || found
	}
	switch {
	case something:
	case l.budget > 0:
		root.Open = true // A budget without spans limits any trace.
	default:
		return nil, nil, &ParseError{File: file, Line: 1, Column: 1, Problem: "the text has no expected span"}
	}
	return &Tree{Roots: root.Children, Open: root.Open, Budget: p.budget}, l, nil
}

// line adds a line to the tree, and reports whether the line is not empty.
func (p *parser) line(l *lineParser) (bool, error) {
	if l.empty() {
		return false, nil
	}
	depth, err := l.indent()
	if err != nil {
		return false, err
	}
	if depth >= len(p.path) {
		return false, l.errorf("indented by %d levels, but the line above allows %d at most", depth, len(p.path)-1)
	}
	parent := p.path[depth]
	p.path = p.path[:depth+1]
	switch {
	case l.takeWord(openLine):
		if parent.Open {
			return false, l.errorf("a second ... among the same children")
		}
		parent.Open = true
		p.layout.open[parent.Line] = l.line
	case depth == 0 && l.take(budgetLine+" "):
		if p.layout.budget > 0 {
			return false, l.errorf("a second budget")
		}
		p.layout.budget = l.line
		if p.budget, err = l.budget(); err != nil {
			return false, err
		}
		return false, l.end()
	default:
		e, err := l.expected()
		if err != nil {
			return false, err
		}
		if comment := l.text[len(strings.TrimRight(l.text[:l.pos], " ")):]; comment != "" {
			p.layout.comments[l.line] = comment
		}
		parent.Children = append(parent.Children, e)
		p.path = append(p.path, e)
	}
	return true, nil
}
