package spantree

import (
	"cmp"
	"fmt"
	"slices"
)

// comparison is what is known about a match that failed.
type comparison struct {
	matcher     *matcher
	lines       *siblings
	roots       []*vertex
	differences []Difference
	// lineOf is the line of each span that one was found for.
	lineOf map[*vertex]*line
	// wants and gots are the types of the differences of lines and spans.
	wants map[*line]DifferenceType
	gots  map[*vertex]DifferenceType
}

// differ pairs lines and spans as well as it can after a match has failed. It
// only explains: whether trees match is decided by the matcher alone.
type differ struct {
	*matcher
	*comparison

	// missing and extra are what comparing siblings left over, until spans
	// that have moved are found among them.
	missing []missing
	extra   []*vertex
	// budget is how many more pairs are looked at for the closest. A trace of
	// which nothing matches is not worth minutes.
	budget int
}

// missing is a line without a span below the span of its parent, which is nil for
// roots and where the parent is missing too.
type missing struct {
	*line
	parent *vertex
	// found is how many spans there are of a line that needs several.
	found int
}

// place words where the line wants its span.
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

// compare lists the differences, and pairs lines with spans.
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

// siblings pairs the lines and spans below one pair, or the roots: first those
// that match with everything below them, then the closest of equal name, then
// those of another name with something equal below.
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

// pair notes that a span stands for a line, and goes on below them.
func (d *differ) pair(l *line, v *vertex) {
	d.lineOf[v] = l
	if _, known := d.gots[v]; !known && (v.Defect != "" || !d.holds(l, v)) {
		d.add(Differing, l, v, d.mismatches(l, v)...)
	}
	d.siblings(l.children, v, v.children)
}

// candidate is a line that a span might have been meant for.
type candidate struct {
	span, line int
	// distance is 0 for equal ones.
	distance int
}

// pairClosest gives spans that match no line the closest line of their name that
// has room.
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
			a.give(c.span, c.line)
		}
	}
}

// takes reports whether a line has room for a span that has no line. Where ...
// would let the span in, only a line that still needs a span is worth it.
func (a *assignment) takes(line, span int) bool {
	least, most := a.lines.lines[line].Repeat.Bounds()
	if a.used[line] < least {
		return true
	}
	return (most < 0 || a.used[line] < most) && a.extra(span)
}

// distance weighs how far a span is from what a line expects.
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

// pairRenamed gives lines without a span one of another name, if the two have
// something of one name below them.
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
				a.give(i, n)
				break
			}
		}
	}
}

// similar reports whether some span below v has the name of a line below l, or
// neither has anything below. It tells apart siblings of equal name.
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
