package spantree

import "slices"

// scratch is memory that nested calls of feasible share. Each call uses the memory after the
// current length, and restores that length.
type scratch struct {
	edges []int32
	ends  []int
}

// feasible reports whether assign would return a complete assignment. It skips unnecessary work: if
// a span fits a line that accepts any number, or "..." accepts it, only lines that require a span
// matter.
func (m *matcher) feasible(lines *siblings, spans []*vertex) bool {
	edges, ends := len(m.scratch.edges), len(m.scratch.ends)
	defer func() { m.scratch.edges, m.scratch.ends = m.scratch.edges[:edges], m.scratch.ends[:ends] }()
	choice := false
	for _, v := range spans {
		before := len(m.scratch.edges)
		free := lines.open && v.Defect == ""
		anyNumber := free
		for _, g := range lines.candidates(v) {
			group := &lines.groups[g]
			if (anyNumber && group.least == 0) || !m.matches(lines.lines[group.lines[0]], v) {
				continue
			}
			anyNumber = anyNumber || (group.least == 0 && group.most < 0)
			m.scratch.edges = append(m.scratch.edges, int32(g))
		}
		found := len(m.scratch.edges) - before
		if found == 0 && !free {
			return false
		}
		choice = choice || found > 1 || (found == 1 && free)
		m.scratch.ends = append(m.scratch.ends, len(m.scratch.edges)-edges)
	}
	if !choice {
		return lines.holdWithoutChoice(m.scratch.edges[edges:])
	}
	f := newFlow(len(spans), len(lines.groups))
	f.edges = slices.Clone(m.scratch.edges[edges:])
	f.ends = slices.Clone(m.scratch.ends[ends:])
	f.saturate(lines)
	for g, group := range lines.groups {
		if f.count[g] < group.least {
			return false
		}
	}
	for i, g := range f.groupOf {
		if g == none && (!lines.open || spans[i].Defect != "") {
			return false
		}
	}
	return true
}

// holdWithoutChoice handles spans that fit exactly one group.
func (s *siblings) holdWithoutChoice(groups []int32) bool {
	var few [16]int
	count := few[:]
	if len(s.groups) > len(few) {
		count = make([]int, len(s.groups))
	}
	for _, g := range groups {
		count[g]++
	}
	for g := range s.groups {
		if group := &s.groups[g]; count[g] < group.least || (group.most >= 0 && count[g] > group.most) {
			return false
		}
	}
	return true
}
