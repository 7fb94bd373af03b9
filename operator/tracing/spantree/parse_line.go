package spantree

import (
	"fmt"
	"strconv"
	"strings"
)

// lineParser reads one line from left to right.
type lineParser struct {
	file string
	line int
	text string
	pos  int
}

// maxProblem limits the length of a quotation in an error: a line can have megabytes.
const maxProblem = 300

func (p *lineParser) errorf(format string, args ...any) error {
	problem := fmt.Sprintf(format, args...)
	if len(problem) > maxProblem {
		problem = strings.ToValidUTF8(problem[:maxProblem], "") + "…"
	}
	return &ParseError{File: p.file, Line: p.line, Column: p.pos + 1, Problem: problem}
}

// errorAt is errorf for an error that starts earlier in the line.
func (p *lineParser) errorAt(start int, format string, args ...any) error {
	p.pos = start
	return p.errorf(format, args...)
}

func (p *lineParser) rest() string { return p.text[p.pos:] }
func (p *lineParser) done() bool   { return p.pos >= len(p.text) }

func (p *lineParser) atComment() bool { return strings.HasPrefix(p.rest(), "#") }

// empty reports whether the line has nothing except a comment, with any indentation.
func (p *lineParser) empty() bool {
	text := strings.TrimLeft(p.text, " \t")
	return text == "" || text[0] == '#'
}

func (p *lineParser) skipBlanks() {
	for !p.done() && p.text[p.pos] == ' ' {
		p.pos++
	}
}

// take consumes a prefix, and reports whether the line has it.
func (p *lineParser) take(prefix string) bool {
	if !strings.HasPrefix(p.rest(), prefix) {
		return false
	}
	p.pos += len(prefix)
	return true
}

// indent returns the depth.
func (p *lineParser) indent() (int, error) {
	p.skipBlanks()
	if p.text[p.pos] == '\t' {
		return 0, p.errorf("a tab in the indentation; use two spaces per level")
	}
	if p.pos%len(indentation) != 0 {
		return 0, p.errorf("indented by %d spaces; use two per level", p.pos)
	}
	depth := p.pos / len(indentation)
	if depth > maxDepth {
		return 0, p.errorf("more than %d levels", maxDepth)
	}
	return depth, nil
}

// takeWord consumes a line of one word and its comment, if that is the whole line.
func (p *lineParser) takeWord(word string) bool {
	rest, ok := strings.CutPrefix(p.rest(), word)
	if !ok {
		return false
	}
	trimmed := strings.TrimLeft(rest, " ")
	return trimmed == "" || (trimmed != rest && trimmed[0] == '#')
}

// expected reads a line from its mark to its comment.
func (p *lineParser) expected() (*Expected, error) {
	e := &Expected{Line: p.line}
	var err error
	if e.Repeat, err = p.mark(); err != nil {
		return nil, err
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
	return e, p.end()
}

// end accepts only a comment after the conditions.
func (p *lineParser) end() error {
	p.skipBlanks()
	if !p.done() && !p.atComment() {
		return p.errorf("unexpected %q after the conditions; start a comment with #", p.rest())
	}
	return nil
}

// mark reads the mark before a name, if any.
func (p *lineParser) mark() (Repeat, error) {
	var mark Repeat
	switch start := p.pos; {
	case p.take("{"):
		length := strings.IndexByte(p.rest(), '}')
		if length < 0 {
			return "", p.errorAt(start, "missing } after the bounds")
		}
		p.pos += length + 1
		least, most, ok := parseBounds(p.text[start:p.pos])
		if !ok {
			return "", p.errorAt(start, "invalid bounds %s; write them as {0,3}, {2} or {2,}", p.text[start:start+length+2])
		}
		mark = Between(least, most)
	case p.take(string(Optional)):
		mark = Optional
	case p.take(string(AnyNumber)):
		mark = AnyNumber
	case p.take(string(OnceOrMore)):
		mark = OnceOrMore
	default:
		return Once, nil
	}
	if !p.take(" ") {
		return "", p.errorf("missing space after the mark %s", mark)
	}
	p.skipBlanks()
	return mark, nil
}

// name reads a quoted name, or a bare one up to " [", " #" or the end.
func (p *lineParser) name() (string, error) {
	if strings.HasPrefix(p.rest(), `"`) {
		return p.quoted()
	}
	end := len(p.rest())
	for _, stop := range []string{" [", " #"} {
		if i := strings.Index(p.rest()[:end], stop); i >= 0 {
			end = i
		}
	}
	name := strings.TrimRight(p.rest()[:end], " ")
	switch {
	case name == "":
		return "", p.errorf("missing span name")
	case strings.ContainsAny(name[:1], "?*+#[{"):
		return "", p.errorf("quote a name that starts with %q", name[:1])
	case strings.HasPrefix(name, budgetLine):
		return "", p.errorf("quote a span name that starts with (budget; a budget is a line without indentation")
	case name == openLine:
		return "", p.errorf("... has neither a mark nor conditions; quote the name of a span ...")
	case strings.Contains(name, "\t"):
		p.pos += strings.Index(name, "\t")
		return "", p.errorf("unexpected tab; use spaces, or quote the name")
	case !graphic(name):
		return "", p.errorf("the name has control or invalid characters; quote it")
	}
	p.pos += len(name)
	return name, nil
}

// quoted reads a Go string in double quotes.
func (p *lineParser) quoted() (string, error) {
	prefix, err := strconv.QuotedPrefix(p.rest())
	if err != nil {
		return "", p.errorf("unterminated string or invalid escape sequence")
	}
	value, err := strconv.Unquote(prefix)
	if err != nil {
		return "", p.errorf("unquoting %s: %v", prefix, err)
	}
	p.pos += len(prefix)
	return value, nil
}

// word reads a quoted or bare key or value up to one of the stops.
func (p *lineParser) word(what, stops string) (string, error) {
	if strings.HasPrefix(p.rest(), `"`) {
		return p.quoted()
	}
	end := strings.IndexAny(p.rest(), stops)
	if end < 0 {
		end = len(p.rest())
	}
	word := p.rest()[:end]
	switch {
	case word == "":
		return "", p.errorf("missing %s; write \"\" for an empty %[1]s", what)
	case strings.Contains(word, `"`):
		return "", p.errorf("unexpected quote inside a word; quote the whole word")
	case strings.Contains(word, "\t"):
		p.pos += strings.Index(word, "\t")
		return "", p.errorf("unexpected tab; separate conditions with spaces")
	case !graphic(word):
		return "", p.errorf("control or invalid characters; quote the word")
	}
	p.pos += len(word)
	return word, nil
}
