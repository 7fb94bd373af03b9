package spantree

import (
	"fmt"
	"strings"
)

// row is a line of the expected tree beside its span.
type row struct {
	want, got         string
	wantType, gotType DifferenceType
	// parent is the index of the row of the parent, or none.
	parent int
}

// rowMaker lays out the trees of a comparison.
type rowMaker struct {
	*comparison
	rows []row
}

func rowsOf(c *comparison) []row {
	m := &rowMaker{comparison: c}
	m.siblings(c.lines, c.roots, 0, none, true)
	return m.rows
}

func (m *rowMaker) add(r row, depth int) int {
	indent := strings.Repeat(indentation, min(depth, maxPrintedDepth))
	if r.want != "" {
		r.want = indent + r.want
	}
	if r.got != "" {
		r.got = indent + r.got
	}
	m.rows = append(m.rows, r)
	return len(m.rows) - 1
}

// siblings lays out lines and spans: the lines in their order, each with its spans, then spans
// without a line or with a line elsewhere, then spans that "..." accepts. Below the second span of
// a line, the left side only has missing lines.
func (m *rowMaker) siblings(lines *siblings, spans []*vertex, depth, parent int, left bool) {
	spansOf := map[*line][]*vertex{}
	var strangers, others []*vertex
	for _, v := range spans {
		switch l := m.lineOf[v]; {
		case l != nil && len(lines.lines) > 0 && l.parent == lines.lines[0].parent:
			spansOf[l] = append(spansOf[l], v)
		case l != nil || m.gots[v] != "":
			strangers = append(strangers, v)
		default:
			others = append(others, v)
		}
	}
	for _, l := range lines.lines {
		m.line(l, spansOf[l], depth, parent, left)
	}
	for _, v := range strangers {
		m.stranger(v, depth, parent)
	}
	m.others(lines, others, depth, parent, left)
}

// line lays out one line with its spans.
func (m *rowMaker) line(l *line, spans []*vertex, depth, parent int, left bool) {
	if len(spans) == 0 && (left || m.wants[l] == Missing) {
		m.unmatched(l, depth, parent)
	}
	for i, v := range spans {
		r := row{got: m.actual(l, v), gotType: m.gots[v], parent: parent}
		if i == 0 && left {
			r.want, r.wantType = l.String(), m.gots[v]
			if least, _ := l.Repeat.Bounds(); len(spans) < least {
				r.wantType = Missing
			}
		}
		at := m.add(r, depth)
		m.siblings(l.children, v.children, depth+1, at, i == 0 && left)
	}
}

// unmatched lays out a line without a span here, and its children.
func (m *rowMaker) unmatched(l *line, depth, parent int) {
	r := row{want: l.String(), parent: parent}
	if t := m.wants[l]; t == Missing || t == Moved {
		r.wantType = t
	}
	at := m.add(r, depth)
	for _, child := range l.children.lines {
		m.unmatched(child, depth+1, at)
	}
	if l.Open {
		m.add(row{want: openLine, parent: at}, depth+1)
	}
}

// stranger lays out a span without a line here, and its descendants. It does not recurse, because
// spans can be a chain of any length.
func (m *rowMaker) stranger(top *vertex, depth, parent int) {
	type item struct {
		v             *vertex
		depth, parent int
	}
	stack := []item{{top, depth, parent}}
	for len(stack) > 0 {
		next := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		l := m.lineOf[next.v]
		at := m.add(row{got: m.actual(l, next.v), gotType: m.gots[next.v], parent: next.parent}, next.depth)
		if l != nil {
			m.siblings(l.children, next.v.children, next.depth+1, at, false)
			continue
		}
		for i := len(next.v.children) - 1; i >= 0; i-- {
			stack = append(stack, item{next.v.children[i], next.depth + 1, at})
		}
	}
}

// others lays out the line "..." and the spans that it accepts.
func (m *rowMaker) others(lines *siblings, spans []*vertex, depth, parent int, left bool) {
	r := row{parent: parent}
	if lines.open && left {
		r.want = openLine
	}
	for _, v := range spans {
		r.got = m.actual(nil, v)
		below := 0
		breadthFirst(v.children, func(v *vertex) bool {
			below++
			return true
		})
		if below > 0 {
			r.got += fmt.Sprintf("  # and %d below", below)
		}
		m.add(r, depth)
		r.want = ""
		for _, moved := range m.below(v) {
			m.stranger(moved, depth+1, len(m.rows)-1)
		}
	}
	if r.want != "" {
		m.add(r, depth)
	}
}

// below returns the descendants of a span that "..." accepts, if they belong elsewhere.
func (m *rowMaker) below(v *vertex) []*vertex {
	var found []*vertex
	breadthFirst(v.children, func(v *vertex) bool {
		if m.lineOf[v] != nil {
			found = append(found, v)
		}
		return m.lineOf[v] == nil
	})
	return found
}

// actual returns the line of a span in the format of its expected line, with the attributes that
// the expected line mentions.
func (m *rowMaker) actual(l *line, v *vertex) string {
	parent := ""
	if v.parent != nil {
		parent = v.parent.Span.Service
	}
	return nodeLine(v.Node, parent, interesting(l, &v.Span)...)
}

// interesting returns the properties of a span that a line has conditions on.
func interesting(l *line, span *Span) []Condition {
	if l == nil {
		return nil
	}
	var found []Condition
	seen := map[string]bool{}
	for _, c := range l.Conditions {
		what := subjectWords[c.Subject] + " " + c.Key
		if seen[what] {
			continue
		}
		seen[what] = true
		value, there := span.Attributes[c.Key]
		switch {
		case c.Subject == SubjectAttribute && there:
			found = append(found, attr(c.Key, value))
		case c.Subject == SubjectDuration:
			found = append(found, Condition{Subject: SubjectDuration, Value: span.Duration().String()})
		case c.Subject == SubjectLink && len(span.Links) > 0:
			found = append(found, hasLink())
		case c.Subject == SubjectEvent:
			for _, e := range span.Events[:min(len(span.Events), maxWorded)] {
				found = append(found, hasEvent(e.Name))
			}
		}
	}
	return found
}
