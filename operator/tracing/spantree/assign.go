package spantree

// assignment says which line each of some sibling spans stands for.
type assignment struct {
	wants []*Expected
	gots  []*Node
	open  bool
	// lineOf has an index into wants for every span, or none.
	lineOf []int
	// used says for every line whether a span stands for it.
	used []bool
}

const none = -1

// complete reports whether every span has a line, or is let in by ..., and
// every line that needs a span has one.
func (a *assignment) complete() bool {
	for g := range a.gots {
		if a.extra(g) {
			return false
		}
	}
	for line, want := range a.wants {
		if want.Repeat.required() && !a.used[line] {
			return false
		}
	}
	return true
}

// extra reports whether a span is accounted for neither by a line nor by "...",
// which lets in no span that is in the wrong place.
func (a *assignment) extra(span int) bool {
	return a.lineOf[span] == none && (!a.open || a.gots[span].Defect != "")
}

// assign finds an assignment of sibling spans to lines under which as many
// lines that need a span as possible have one, and after that as many spans as
// possible have a line; complete if there is a complete one.
//
// It first gives the lines that need a span one each, by augmenting paths, and
// then gives spans to the places left, again by augmenting paths. Such a path
// changes partners but never takes one away from somebody who has one, so the
// second round keeps what the first reached; and a largest matching of spans,
// which augmenting always reaches, leaves no span out if that is possible.
func (m *matcher) assign(wants []*Expected, gots []*Node, open bool, fits func(*Expected, *Node) bool) *assignment {
	a := &assignment{wants: wants, gots: gots, open: open, lineOf: make([]int, len(gots)), used: make([]bool, len(wants))}
	for i := range a.lineOf {
		a.lineOf[i] = none
	}
	edges := make([][]int, len(wants)) // spans that fit a line
	lines := make([][]int, len(gots))  // lines that fit a span
	for w, want := range wants {
		for g, got := range gots {
			if fits(want, got) {
				edges[w] = append(edges[w], g)
				lines[g] = append(lines[g], w)
			}
		}
	}
	for w, want := range wants {
		if want.Repeat.required() {
			a.giveSpan(w, edges, make([]bool, len(gots)))
		}
	}
	spanOf := make([]int, len(wants)) // the span of a line that takes one only
	for w := range spanOf {
		spanOf[w] = none
	}
	for g, w := range a.lineOf {
		if w != none {
			spanOf[w] = g
		}
	}
	for g := range gots {
		if a.lineOf[g] == none {
			a.giveLine(g, lines, spanOf, make([]bool, len(wants)))
		}
	}
	return a
}

// giveSpan finds a span for a line, moving other lines to other spans where
// that helps. The recursion is as deep as there are lines among the siblings.
func (a *assignment) giveSpan(line int, edges [][]int, seen []bool) bool {
	for _, g := range edges[line] {
		if seen[g] {
			continue
		}
		seen[g] = true
		if a.lineOf[g] == none || a.giveSpan(a.lineOf[g], edges, seen) {
			a.lineOf[g] = line
			a.used[line] = true
			return true
		}
	}
	return false
}

// giveLine finds a line for a span, moving other spans to other lines where
// that helps.
func (a *assignment) giveLine(span int, lines [][]int, spanOf []int, seen []bool) bool {
	for _, w := range lines[span] {
		if seen[w] {
			continue
		}
		seen[w] = true
		free := a.wants[w].Repeat.unbounded() || spanOf[w] == none
		if free || a.giveLine(spanOf[w], lines, spanOf, seen) {
			a.lineOf[span] = w
			spanOf[w] = span
			a.used[w] = true
			return true
		}
	}
	return false
}
