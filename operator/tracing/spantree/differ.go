package spantree

import "fmt"

// DifferenceType is what is wrong with a span or a line.
type DifferenceType string

// The types of differences.
const (
	// Missing: no span stands for the line.
	Missing DifferenceType = "missing"
	// Extra: no line accounts for the span.
	Extra DifferenceType = "extra"
	// Moved: the span that the line expects has another parent.
	Moved DifferenceType = "moved"
	// Differing: the span is in its place, but a condition fails.
	Differing DifferenceType = "different"
)

// Difference is one thing that is wrong.
type Difference struct {
	Type DifferenceType
	// Want is the line; nil for Extra.
	Want *Expected
	// Got is the span; nil for Missing.
	Got *Node
	// Details say where it was expected and found, and which conditions fail.
	Details []string
}

// position words a place by the name of the parent; empty for roots.
func position(parent string) string {
	if parent == "" {
		return "as a root"
	}
	return "below " + parent
}

// place is where a line was expected or a span was found.
type place[T any] struct {
	item   T
	parent string // its quoted name; empty for a root
}

// differ pairs lines and spans as well as it can after a match has failed. It
// only explains: whether trees match is decided by the matcher alone.
type differ struct {
	*matcher
	differences []Difference
	// missing and extra are what comparing siblings left over, until spans
	// that have moved are found among them.
	missing []place[*Expected]
	extra   []place[*Node]
	// paired holds the spans that a line was found for.
	paired map[*Node]bool
}

func newDiffer(m *matcher) *differ { return &differ{matcher: m, paired: map[*Node]bool{}} }

// run lists the differences: those of spans in their place, then lines, then
// spans that are left over.
func (d *differ) run(want *Tree, got *Forest) []Difference {
	d.compare("", want.Roots, got.Roots, want.Open)
	for len(d.missing) > 0 {
		next := d.missing[0]
		d.missing = d.missing[1:]
		d.findMoved(next)
	}
	for _, top := range d.extra {
		d.addExtra(top)
	}
	return d.differences
}

// compare pairs siblings: first those that match with everything below them,
// then those that are right by themselves, then those of equal name.
func (d *differ) compare(parent string, wants []*Expected, gots []*Node, open bool) {
	a := d.assign(wants, gots, open, d.matches)
	for g, line := range a.lineOf {
		d.paired[gots[g]] = line != none || d.paired[gots[g]]
	}
	if a.complete() {
		return
	}
	rounds := []func(*Expected, *Node) bool{
		func(e *Expected, n *Node) bool { return len(d.mismatches(e, n)) == 0 && similar(e, n) },
		func(e *Expected, n *Node) bool { return len(d.mismatches(e, n)) == 0 },
		func(e *Expected, n *Node) bool { return e.Name == n.Span.Name && similar(e, n) },
		func(e *Expected, n *Node) bool { return e.Name == n.Span.Name },
	}
	for _, fits := range rounds {
		for g, n := range gots {
			if a.lineOf[g] == none && !d.paired[n] {
				d.pairUp(a, g, fits)
			}
		}
	}
	for w, e := range wants {
		if e.Repeat.required() && !a.used[w] {
			d.missing = append(d.missing, place[*Expected]{e, parent})
		}
	}
	for g, n := range gots {
		if a.extra(g) && !d.paired[n] {
			d.extra = append(d.extra, place[*Node]{n, parent})
		}
	}
}

// pairUp gives a span that matches no line the first line that it resembles and
// that has room. Where ... would let the span in, only a line that still needs
// a span is worth it.
func (d *differ) pairUp(a *assignment, g int, fits func(*Expected, *Node) bool) {
	n := a.gots[g]
	for w, e := range a.wants {
		room := !a.used[w] || (e.Repeat.unbounded() && a.extra(g))
		needed := a.extra(g) || e.Repeat.required()
		if !room || !needed || !fits(e, n) {
			continue
		}
		a.lineOf[g], a.used[w] = w, true
		d.paired[n] = true
		details := d.mismatches(e, n)
		if n.Defect != "" {
			details = append(details, n.Defect.explain(n.Span))
		}
		if len(details) > 0 {
			d.differences = append(d.differences, Difference{Differing, e, n, details})
		}
		d.compare(quoteName(e.Name), e.Children, n.Children, e.Open)
		return
	}
}

// similar reports whether some span below n has the name of a line below e, or
// neither has anything below. It tells apart siblings of equal name.
func similar(e *Expected, n *Node) bool {
	if len(e.Children) == 0 || len(n.Children) == 0 {
		return len(e.Children) == len(n.Children)
	}
	for _, child := range e.Children {
		for _, got := range n.Children {
			if child.Name == got.Span.Name {
				return true
			}
		}
	}
	return false
}

// findMoved looks for the span of a missing line among the spans left over and
// below them. Where there is none the line is missing, and the lines below it
// are looked for in turn: a lost span leaves its children elsewhere.
func (d *differ) findMoved(want place[*Expected]) {
	e := want.item
	for _, fits := range []func(n *Node) bool{similarTo(e), func(*Node) bool { return true }} {
		for _, top := range d.extra {
			found, parent := d.search(e, top, fits)
			if found == nil {
				continue
			}
			d.paired[found] = true
			details := []string{fmt.Sprintf("want it %s, found %s", position(want.parent), position(parent))}
			if found.Defect != "" {
				details = append(details, found.Defect.explain(found.Span))
			}
			d.differences = append(d.differences, Difference{Moved, e, found, details})
			d.compare(quoteName(e.Name), e.Children, found.Children, e.Open)
			return
		}
	}
	d.differences = append(d.differences, Difference{Missing, e, nil, []string{"want it " + position(want.parent)}})
	for _, child := range e.Children {
		if child.Repeat.required() {
			d.missing = append(d.missing, place[*Expected]{child, quoteName(e.Name)})
		}
	}
}

func similarTo(e *Expected) func(*Node) bool {
	return func(n *Node) bool { return similar(e, n) }
}

// search looks for a span of the line in a tree that is left over, and gives
// the name of its parent as well.
func (d *differ) search(e *Expected, top place[*Node], fits func(*Node) bool) (*Node, string) {
	level := []place[*Node]{top}
	for len(level) > 0 {
		next := level[0]
		level = level[1:]
		n := next.item
		if d.paired[n] {
			continue // and so is what is below it
		}
		if len(d.mismatches(e, n)) == 0 && fits(n) {
			return n, next.parent
		}
		for _, child := range n.Children {
			level = append(level, place[*Node]{child, quoteName(n.Span.Name)})
		}
	}
	return nil, ""
}

// addExtra lists a span that is left over and those below it.
func (d *differ) addExtra(top place[*Node]) {
	level := []place[*Node]{top}
	for len(level) > 0 {
		next := level[0]
		level = level[1:]
		n := next.item
		if d.paired[n] {
			continue
		}
		details := []string{"found " + position(next.parent)}
		if n.Defect != "" {
			details = append(details, n.Defect.explain(n.Span))
		}
		d.differences = append(d.differences, Difference{Extra, nil, n, details})
		for _, child := range n.Children {
			level = append(level, place[*Node]{child, quoteName(n.Span.Name)})
		}
	}
}
