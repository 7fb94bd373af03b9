package spantree

import "sync"

// Result is the outcome of a [Match], which alone makes it. It may be used by
// several goroutines.
type Result struct {
	want *Tree
	got  *Forest
	ok   bool
	// compared is made when it is first asked for: waiting for a trace asks for
	// the verdict alone, again and again.
	compared func() *comparison
}

// OK reports whether the forest is what was expected. A nil result isn't.
func (r *Result) OK() bool { return r != nil && r.ok }

// Differences lists what is wrong, the closest matches first: spans in their place
// with few conditions that fail, then with more, spans that have moved, lines
// without a span, and spans without a line. It is empty where the match passed,
// and only there; a nil result has none either. The first call takes longer than
// the match itself.
func (r *Result) Differences() []Difference {
	if r == nil {
		return nil
	}
	return r.compared().differences
}

// Match compares a forest with an expected tree.
//
// Every span must be accounted for by one line, and every line without a mark
// by one span, with parents and children alike; siblings have no order. Where a span could stand for several lines, any
// assignment that works is taken: the answer doesn't depend on the order of
// lines or spans. A node with a [Defect] fails the match even where a line or
// ... would accept it; only what is below a span that ... lets in is not looked
// at.
//
// The time is polynomial in the number of lines and spans: each pair is
// compared once at most, and siblings are assigned by bipartite matching. A nil
// forest is an empty one; a nil tree expects nothing. Neither may change while
// the result is in use.
func Match(want *Tree, got *Forest) *Result {
	if want == nil {
		want = &Tree{}
	}
	if got == nil {
		got = &Forest{}
	}
	lines := compile(want)
	m := &matcher{roots: vertices(got)}
	exceeded := want.Budget.Check(got)
	r := &Result{want: want, got: got, ok: m.fits(lines, m.roots) && len(exceeded) == 0}
	r.compared = sync.OnceValue(func() *comparison {
		if r.ok {
			return &comparison{}
		}
		// The differ asks for a pair more than once.
		m.memo = map[pair]bool{}
		c := compare(m, lines)
		for _, e := range exceeded {
			c.differences = append(c.differences, Difference{Type: OverBudget, Details: []string{e.String()}})
		}
		return c
	})
	return r
}

type pair struct {
	want *line
	got  *vertex
}

// matcher decides whether spans are what lines expect.
type matcher struct {
	roots []*vertex
	// memo remembers pairs of which both have children; nil where each pair is
	// asked for once.
	memo map[pair]bool

	scratch scratch
}

// matches reports whether a span and everything below it is what the line and
// everything below it expects. The recursion is as deep as the expected tree.
func (m *matcher) matches(l *line, v *vertex) bool {
	if v.Defect != "" || !l.children.may(v) || !m.holds(l, v) {
		return false
	}
	if len(l.children.lines) == 0 || len(v.children) == 0 {
		return m.fits(l.children, v.children)
	}
	if m.memo == nil {
		return m.fits(l.children, v.children)
	}
	key := pair{l, v}
	known, asked := m.memo[key]
	if !asked {
		known = m.fits(l.children, v.children)
		m.memo[key] = known
	}
	return known
}

// may is a quick look at numbers: where it says no, the children of the span are
// not what the lines expect.
func (s *siblings) may(v *vertex) bool {
	return len(v.children) >= s.least && (s.most < 0 || len(v.children) <= s.most)
}

// fits reports whether there is an assignment of the spans to the lines that
// leaves nothing out.
func (m *matcher) fits(lines *siblings, spans []*vertex) bool {
	if len(spans) < lines.least || (lines.most >= 0 && len(spans) > lines.most) {
		return false
	}
	if len(lines.lines) == 0 || len(spans) == 0 {
		return len(spans) == 0 || allSound(spans)
	}
	return m.feasible(lines, spans)
}

// allSound reports whether "..." may let in the spans.
func allSound(spans []*vertex) bool {
	for _, v := range spans {
		if v.Defect != "" {
			return false
		}
	}
	return true
}
