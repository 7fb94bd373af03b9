package spantree

// assignment maps sibling spans to lines.
type assignment struct {
	lines *siblings
	spans []*vertex
	// lineOf has the index of the line of each span, or none.
	lineOf []int
	// used has the number of spans of each line.
	used []int
}

const none = -1

func newAssignment(lines *siblings, spans []*vertex) *assignment {
	a := &assignment{lines: lines, spans: spans, lineOf: make([]int, len(spans)), used: make([]int, len(lines.lines))}
	for i := range a.lineOf {
		a.lineOf[i] = none
	}
	return a
}

func (a *assignment) set(span, line int) {
	a.lineOf[span] = line
	a.used[line]++
}

// complete reports whether every span has a line or is accepted by "...", and every required line
// has enough spans.
func (a *assignment) complete() bool {
	for i := range a.spans {
		if a.extra(i) {
			return false
		}
	}
	for i, l := range a.lines.lines {
		if least, _ := l.Repeat.Bounds(); a.used[i] < least {
			return false
		}
	}
	return true
}

// extra reports whether neither a line nor "..." accepts a span. "..." does not accept a span that
// is in the wrong place.
func (a *assignment) extra(span int) bool {
	return a.lineOf[span] == none && (!a.lines.open || a.spans[span].Defect != "")
}

// assign assigns sibling spans to lines in any order. It fills as many required lines as possible,
// and then assigns as many spans as possible. The assignment is complete if a complete one exists.
func (m *matcher) assign(lines *siblings, spans []*vertex) *assignment {
	a := newAssignment(lines, spans)
	f := newFlow(len(spans), len(lines.groups))
	for _, v := range spans {
		for _, g := range lines.candidates(v) {
			if m.matches(lines.lines[lines.groups[g].lines[0]], v) {
				f.edges = append(f.edges, int32(g))
			}
		}
		f.closeSpan()
	}
	f.saturate(lines)
	a.distribute(f)
	return a
}

// saturate matches spans with groups of equal lines. A group accepts a number of spans between two
// bounds. The first round fills the groups up to their lower bounds, the second up to their upper
// bounds, both by augmenting paths. Such a path moves spans between groups. It removes a span from
// a group only if the group gets another one, so the second round keeps the result of the first.
// Augmenting reaches a largest matching, so no span remains if that is possible.
func (f *flow) saturate(lines *siblings) {
	for g, group := range lines.groups {
		f.room[g] = group.least
	}
	f.fill()
	for g, group := range lines.groups {
		if f.room[g] = group.most; group.most < 0 {
			f.room[g] = len(f.groupOf)
		}
	}
	f.fill()
}

// distribute assigns the spans of each group to its lines: first as many as each line requires,
// then as many as each line accepts.
func (a *assignment) distribute(f *flow) {
	spansOf := make([][]int, len(a.lines.groups))
	for span, g := range f.groupOf {
		if g != none {
			spansOf[g] = append(spansOf[g], span)
		}
	}
	for g, spans := range spansOf {
		for _, needed := range []bool{true, false} {
			for _, line := range a.lines.groups[g].lines {
				least, most := a.lines.lines[line].Repeat.Bounds()
				if needed {
					most = least
				}
				for len(spans) > 0 && (most < 0 || a.used[line] < most) {
					a.set(spans[0], line)
					spans = spans[1:]
				}
			}
		}
	}
}
