package spantree

import (
	"cmp"
	"fmt"
	"slices"
)

// comparison is the result of comparing a forest with a tree that it does not match.
type comparison struct {
	matcher     *matcher
	lines       *siblings
	roots       []*vertex
	differences []Difference
	// lineOf has the line of each span that is assigned to one.
	lineOf map[*vertex]*line
	// wants and gots have the types of the differences of lines and spans.
	wants map[*line]DifferenceType
	gots  map[*vertex]DifferenceType
}

// differ assigns spans to lines as well as possible after a match failed. It only explains the
// failure: the matcher decides whether trees match.
type differ struct {
	*matcher
	*comparison

	// missing and extra are the rest after comparing siblings. findMoved searches them for moved
	// spans.
	missing []missing
	extra   []*vertex
	// budget is the number of further pairs to compare in the search for the closest. If nothing
	// matches, a complete search could take minutes.
	budget int
}

// missing is a line without a span. The parent is nil for roots, and if the parent is also missing.
type missing struct {
	*line
	parent *vertex
	// found is the number of spans of a line that requires several.
	found int
}

// place describes the expected position of the span.
func (l missing) place() string {
	switch {
	case l.line.parent == nil:
		return "as a root"
	case l.parent != nil && l.line.parent.Repeat.several():
		return fmt.Sprintf("below %s span %s", quoteName(l.line.parent.Name), l.parent.Span.SpanID)
	}
	return "below " + quoteName(l.line.parent.Name)
}

const pairsLookedAt = 300_000

// compare finds the differences, and assigns spans to lines.
func compare(m *matcher, lines *siblings) *comparison {
	d := &differ{matcher: m, budget: pairsLookedAt, comparison: &comparison{
		matcher: m, lines: lines, roots: m.roots, lineOf: map[*vertex]*line{}, wants: map[*line]DifferenceType{}, gots: map[*vertex]DifferenceType{},
	}}
	d.siblings(lines, nil, m.roots)
	d.findMoved()
	for _, top := range d.extra {
		d.addExtra(top)
	}
	sortDifferences(d.differences)
	return d.comparison
}

func (d *differ) add(difference DifferenceType, l *line, v *vertex, details ...string) {
	found := Difference{Type: difference, Details: details}
	if l != nil {
		found.Want = l.Expected
		d.wants[l] = difference
	}
	if v != nil {
		found.Got = v.Node
		d.gots[v] = difference
		if v.Defect != "" {
			found.Details = append(found.Details, v.Defect.explain(v.Span))
		}
	}
	d.differences = append(d.differences, found)
}

// siblings assigns the children of a pair, or the roots: first the pairs that match completely,
// then the closest pairs of equal name, then pairs of different names with an equal child.
func (d *differ) siblings(lines *siblings, parent *vertex, spans []*vertex) {
	a := d.assign(lines, spans)
	if !a.complete() {
		d.pairClosest(a)
		d.pairRenamed(a)
	}
	for i, l := range lines.lines {
		if least, _ := l.Repeat.Bounds(); a.used[i] < least {
			d.missing = append(d.missing, missing{l, parent, a.used[i]})
		}
	}
	for i, v := range spans {
		if line := a.lineOf[i]; line != none {
			d.pair(lines.lines[line], v)
		} else if a.extra(i) {
			d.extra = append(d.extra, v)
		}
	}
}

// pair assigns a span to a line, and continues with their children.
func (d *differ) pair(l *line, v *vertex) {
	d.lineOf[v] = l
	if _, known := d.gots[v]; !known && (v.Defect != "" || !d.holds(l, v)) {
		d.add(Differing, l, v, d.mismatches(l, v)...)
	}
	d.siblings(l.children, v, v.children)
}

// candidate is a line that could be meant for a span.
type candidate struct {
	span, line int
	// distance is 0 for an exact match.
	distance int
}

// pairClosest assigns spans that match no line to the closest line of the same name that accepts
// another span.
func (d *differ) pairClosest(a *assignment) {
	var candidates []candidate
	for i, v := range a.spans {
		if a.lineOf[i] != none || d.budget <= 0 {
			continue
		}
		for _, g := range a.lines.named(v.Span.Name) {
			d.budget -= len(a.lines.groups[g].lines)
			for _, n := range a.lines.groups[g].lines {
				if a.takes(n, i) {
					candidates = append(candidates, candidate{i, n, d.distance(a.lines.lines[n], v)})
				}
			}
		}
	}
	slices.SortStableFunc(candidates, func(x, y candidate) int { return cmp.Compare(x.distance, y.distance) })
	for _, c := range candidates {
		if a.lineOf[c.span] == none && a.takes(c.line, c.span) {
			a.set(c.span, c.line)
		}
	}
}

// takes reports whether a line accepts another span. If "..." would accept the span, only a line
// that still requires a span takes it.
func (a *assignment) takes(line, span int) bool {
	least, most := a.lines.lines[line].Repeat.Bounds()
	if a.used[line] < least {
		return true
	}
	return (most < 0 || a.used[line] < most) && a.extra(span)
}

// distance returns the distance of a span from the expectations of a line.
func (d *differ) distance(l *line, v *vertex) int {
	distance := 0
	if !d.holds(l, v) {
		distance = 2 * len(d.mismatches(l, v))
	}
	if !similar(l, v) {
		distance++
	}
	return distance
}

// pairRenamed assigns spans of other names to lines without a span, if the two have children of the
// same name.
func (d *differ) pairRenamed(a *assignment) {
	for n, l := range a.lines.lines {
		if !l.Repeat.required() || a.used[n] > 0 || len(l.Children) == 0 {
			continue
		}
		for i, v := range a.spans {
			if d.budget--; d.budget <= 0 {
				return
			}
			if a.lineOf[i] == none && a.extra(i) && len(v.children) > 0 && similar(l, v) {
				a.set(i, n)
				break
			}
		}
	}
}

// similar reports whether a child of v has the name of a child of l, or neither has children. It
// distinguishes siblings of the same name.
func similar(l *line, v *vertex) bool {
	if len(l.Children) == 0 || len(v.children) == 0 {
		return len(l.Children) == len(v.children)
	}
	for _, child := range v.children {
		if len(l.children.named(child.Span.Name)) > 0 {
			return true
		}
	}
	return false
}
