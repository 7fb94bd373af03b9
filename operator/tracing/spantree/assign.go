package spantree

// assignment says which line each of some sibling spans stands for.
type assignment struct {
	lines *siblings
	spans []*vertex
	// lineOf has an index into the lines for every span, or none.
	lineOf []int
	// used says for every line how many spans stand for it.
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

func (a *assignment) give(span, line int) {
	a.lineOf[span] = line
	a.used[line]++
}

// complete reports whether every span has a line, or is let in by ..., and
// every line that needs a span has one.
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

// extra reports whether a span is accounted for neither by a line nor by "...",
// which lets in no span that is in the wrong place.
func (a *assignment) extra(span int) bool {
	return a.lineOf[span] == none && (!a.lines.open || a.spans[span].Defect != "")
}

// assign finds an assignment of sibling spans to lines, whatever their order,
// under which as many lines that need a span as possible have one, and after that
// as many spans as possible have a line; complete if there is a complete one.
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

// saturate matches spans with groups of equal lines, which take from so many to
// so many spans. The first round gives the groups up to what they need, the second
// up to what they take, both by augmenting paths. Such a path moves spans between
// groups and takes none away from a group that doesn't get another, so the second
// round keeps what the first reached; and a largest matching, which augmenting
// always reaches, leaves nothing out if that is possible.
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

// distribute gives the spans of each group to its lines: to each as many as it
// needs, then to each as many as it takes.
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
					a.give(spans[0], line)
					spans = spans[1:]
				}
			}
		}
	}
}
