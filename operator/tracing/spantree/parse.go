package spantree

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	indentation = "  "
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
	Problem      string
}

// Error gives file:line:column: problem, which editors turn into a link.
func (e *ParseError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
}

// Parse reads an expected tree. The file's name is used in errors only, which
// are of type *[ParseError]. A text without any line is an error too: it would
// expect that nothing happened, and is far more often a mistake.
func Parse(file, text string) (*Tree, error) {
	root := &Expected{}
	// path[d] is the node that lines of depth d are children of.
	path := []*Expected{root}
	lines := 0
	for i, raw := range strings.Split(text, "\n") {
		p := &lineParser{file: file, line: i + 1, text: strings.TrimRight(raw, " \r")}
		depth, err := p.indent()
		if err != nil {
			return nil, err
		}
		if p.atComment() || p.done() {
			continue
		}
		lines++
		if depth >= len(path) {
			return nil, p.errorf("indented by %d levels, but the line above allows %d at most", depth, len(path)-1)
		}
		parent := path[depth]
		if p.takeDots() {
			if parent.Open {
				return nil, p.errorf("a second ... among the same children")
			}
			parent.Open = true
			path = path[:depth+1]
			continue
		}
		e, err := p.expected()
		if err != nil {
			return nil, err
		}
		parent.Children = append(parent.Children, e)
		path = append(path[:depth+1], e)
	}
	if lines == 0 {
		return nil, &ParseError{File: file, Line: 1, Column: 1, Problem: "no expected span in the text"}
	}
	return &Tree{Roots: root.Children, Open: root.Open}, nil
}

// lineParser reads one line from left to right.
type lineParser struct {
	file string
	line int
	text string
	pos  int
}

func (p *lineParser) errorf(format string, args ...any) error {
	return &ParseError{File: p.file, Line: p.line, Column: p.pos + 1, Problem: fmt.Sprintf(format, args...)}
}

func (p *lineParser) rest() string { return p.text[p.pos:] }
func (p *lineParser) done() bool   { return p.pos >= len(p.text) }

func (p *lineParser) atComment() bool { return strings.HasPrefix(p.rest(), "#") }

func (p *lineParser) skipBlanks() {
	for !p.done() && p.text[p.pos] == ' ' {
		p.pos++
	}
}

// take consumes a prefix.
func (p *lineParser) take(prefix string) bool {
	if !strings.HasPrefix(p.rest(), prefix) {
		return false
	}
	p.pos += len(prefix)
	return true
}

// indent gives the depth. Comments and empty lines may be indented as they like.
func (p *lineParser) indent() (int, error) {
	p.skipBlanks()
	if p.done() || p.atComment() {
		return 0, nil
	}
	if p.text[p.pos] == '\t' {
		return 0, p.errorf("a tab in the indentation; a level is two spaces")
	}
	if p.pos%len(indentation) != 0 {
		return 0, p.errorf("indented by %d spaces; a level is two", p.pos)
	}
	depth := p.pos / len(indentation)
	if depth > maxDepth {
		return 0, p.errorf("more than %d levels", maxDepth)
	}
	return depth, nil
}

// takeDots consumes a line of three dots and its comment.
func (p *lineParser) takeDots() bool {
	rest, ok := strings.CutPrefix(p.rest(), "...")
	if !ok {
		return false
	}
	trimmed := strings.TrimLeft(rest, " ")
	return trimmed == "" || (trimmed != rest && trimmed[0] == '#')
}

// expected reads a line from its mark to its comment.
func (p *lineParser) expected() (*Expected, error) {
	e := &Expected{Line: p.line}
	for _, mark := range []Repeat{Optional, AnyNumber, OnceOrMore} {
		if p.take(string(mark)) {
			e.Repeat = mark
			if !p.take(" ") {
				return nil, p.errorf("no space after the mark %s", mark)
			}
			p.skipBlanks()
			break
		}
	}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	e.Name = name
	p.skipBlanks()
	if p.take("[") {
		if err := p.conditions(e); err != nil {
			return nil, err
		}
		p.skipBlanks()
	}
	if !p.done() && !p.atComment() {
		return nil, p.errorf("unexpected %q", p.rest())
	}
	return e, nil
}

// name reads a quoted name, or a bare one up to " [", " #" or the end.
func (p *lineParser) name() (string, error) {
	if strings.HasPrefix(p.rest(), `"`) {
		return p.quoted()
	}
	end := len(p.rest())
	for _, stop := range []string{" [", " #"} {
		if i := strings.Index(p.rest(), stop); i >= 0 {
			end = min(end, i)
		}
	}
	name := strings.TrimRight(p.rest()[:end], " ")
	switch {
	case name == "":
		return "", p.errorf("no span name")
	case strings.ContainsAny(name[:1], "?*+#["):
		return "", p.errorf("a name that starts with %q must be quoted", name[:1])
	case name == "...":
		return "", p.errorf("a span named ... must be quoted, and ... takes neither mark nor conditions")
	case !graphic(name):
		return "", p.errorf("a name with control or invalid characters must be quoted")
	}
	p.pos += len(name)
	return name, nil
}

// quoted reads a Go string in double quotes.
func (p *lineParser) quoted() (string, error) {
	prefix, err := strconv.QuotedPrefix(p.rest())
	if err != nil {
		return "", p.errorf("a quoted string that does not end or has a wrong escape")
	}
	value, err := strconv.Unquote(prefix)
	if err != nil {
		return "", p.errorf("unquoting %s: %v", prefix, err)
	}
	p.pos += len(prefix)
	return value, nil
}
