package spantree

import (
	"fmt"
	"strings"
)

const (
	indentation   = "  "
	byteOrderMark = "\uFEFF"
	// maxDepth bounds the recursion over a parsed tree. Real traces of
	// operators are below twenty.
	maxDepth = 1000
)

// ParseError says what is wrong with the text of an expected tree, and where.
type ParseError struct {
	// File is the name given to [Parse].
	File string
	// Line counts from 1, and so does Column, in bytes.
	Line, Column int
	// Problem says what is wrong and what would be right.
	Problem string
}

// Error gives file:line:column: problem, which editors turn into a link.
func (e *ParseError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
}

// Parse reads an expected tree. The file's name is used in errors only, which
// are of type *[ParseError]. A text without any line is an error too: it would
// expect that nothing happened, and is far more often a mistake.
//
// Lines may end in CRLF, and the text may start with a byte order mark.
// Variables stay as they are written, until [Tree.Fill] puts values in their
// place. The time is linear in the length of the text.
func Parse(file, text string) (*Tree, error) {
	tree, _, err := parse(file, text)
	return tree, err
}

// layout is what the text has beside the tree, for writing it again.
type layout struct {
	// lines are those of the text, without what ends them.
	lines []string
	// comments are those at the ends of lines, by line number, with the blanks
	// before them.
	comments map[int]string
	// open are the line numbers of ..., by the line number of the parent; 0 stands for
	// the roots'.
	open map[int]int
	// budget is the line number of the budget; 0 without one.
	budget int
}

// parser reads a text line by line.
type parser struct {
	file string
	// path[d] is the node that lines of depth d are children of.
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
	if !something {
		return nil, nil, &ParseError{File: file, Line: 1, Column: 1, Problem: "no expected span in the text"}
	}
	return &Tree{Roots: root.Children, Open: root.Open, Budget: p.budget}, l, nil
}

// line adds what a line says to the tree, and reports whether it says anything.
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
