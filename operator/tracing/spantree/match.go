package spantree

import "sync"

// Result is the result of [Match]. Several goroutines can use it at the same time.
type Result struct {
	want *Tree
	got  *Forest
	ok   bool
	// compared computes the comparison on first use: a caller that waits for a trace needs only the
	// verdict, many times.
	compared func() *comparison
}

// OK reports whether the forest matches the expected tree. It returns false for a nil result.
func (r *Result) OK() bool { return r != nil && r.ok }

// Differences returns the differences, closest matches first: spans in the expected position by the
// number of conditions that are not met, then moved spans, lines without a span, and spans without
// a line. It returns nil exactly if the match passed, and for a nil result. The first call takes
// longer than the match itself.
func (r *Result) Differences() []Difference {
	if r == nil {
		return nil
	}
	return r.compared().differences
}

// Match compares a forest with an expected tree.
//
// Every span must have one line, and every line without a mark one span. The same applies to their
// parents and children. Siblings have no order. If a span fits several lines, Match uses any
// assignment that works, so the result does not depend on the order of lines or spans. A node with
// a [Defect] fails the match even if a line or "..." would accept it. Match ignores the descendants
// of a span that "..." accepts.
//
// The time is polynomial in the number of lines and spans: Match compares each pair at most once,
// and assigns siblings by bipartite matching. A nil forest is empty, and a nil tree expects no
// spans. The caller must not change either of them while it uses the result.
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
		// The differ compares a pair more than once.
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

// matcher decides whether spans match lines.
type matcher struct {
	roots []*vertex
	// memo caches pairs that both have children. It is nil if each pair is compared only once.
	memo map[pair]bool

	scratch scratch
}

// matches reports whether a span and its descendants match a line and its descendants. The depth of
// the recursion is at most the depth of the expected tree.
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

// may is a fast check of the numbers of spans. If it returns false, the children of the span do not
// match the lines.
func (s *siblings) may(v *vertex) bool {
	return len(v.children) >= s.least && (s.most < 0 || len(v.children) <= s.most)
}

// fits reports whether a complete assignment of the spans to the lines exists.
func (m *matcher) fits(lines *siblings, spans []*vertex) bool {
	if len(spans) < lines.least || (lines.most >= 0 && len(spans) > lines.most) {
		return false
	}
	if len(lines.lines) == 0 || len(spans) == 0 {
		return len(spans) == 0 || allSound(spans)
	}
	return m.feasible(lines, spans)
}

// allSound reports whether "..." can accept the spans.
func allSound(spans []*vertex) bool {
	for _, v := range spans {
		if v.Defect != "" {
			return false
		}
	}
	return true
}
