package spantree

import (
	"maps"
	"slices"
)

// orderPlace is a place in the order of lines: those before line are done, and a span stands
// for the line itself where taken. Taken lines are such that take more spans.
type orderPlace struct {
	line  int
	taken bool
}

// before reports whether a place comes before another.
func (p orderPlace) before(other orderPlace) bool {
	return p.line < other.line || (p.line == other.line && !p.taken && other.taken)
}

// orderStep is a place that can be reached after some spans, how, and with which
// of these spans standing for which lines.
type orderStep struct {
	at       orderPlace
	previous *orderStep
	// lineOf has a line, or none, for each span of the last moment.
	lineOf []int
}

// assignInOrder finds a complete assignment under which no span starts before
// one of an earlier line; nil where there is none. Spans that start at the same
// moment may be in any order. The spans are ordered by start already.
//
// It goes through the moments, and keeps for each the places in the order of the
// lines that can be reached, but none that can be reached from another without a
// span. The time is polynomial: there are as many places as
// lines that need a span at most, and each moment is a bipartite matching for each
// pair of them.
func (m *matcher) assignInOrder(lines *siblings, spans []*vertex) *assignment {
	o := &order{m: m, lines: lines, needAfter: make([]int, len(lines.lines)+1)}
	for i, l := range slices.Backward(lines.lines) {
		o.needAfter[i] = o.needAfter[i+1]
		if l.Repeat.required() {
			o.needAfter[i]++
		}
	}
	steps := []*orderStep{{}}
	for rest := spans; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Span.Start.Equal(rest[0].Span.Start) {
			n++
		}
		if steps = o.advance(steps, rest[:n], len(rest) == n); len(steps) == 0 {
			return nil
		}
		rest = rest[n:]
	}
	for _, step := range steps {
		if o.needs(step.at) == 0 {
			return step.assignment(lines, spans)
		}
	}
	return nil
}

// order is what advance needs to know.
type order struct {
	m     *matcher
	lines *siblings
	// needAfter is how many lines from an index on need a span.
	needAfter []int
}

// needs is how many lines need a span after a place.
func (o *order) needs(at orderPlace) int {
	if at.taken {
		return o.needAfter[at.line+1]
	}
	return o.needAfter[at.line]
}

// advance gives the places that are reached by the spans of one moment.
func (o *order) advance(steps []*orderStep, spans []*vertex, last bool) []*orderStep {
	fits := o.fits(spans)
	// nearest has the nearest place that is reached for each number of lines that
	// need a span after it. From there the others can be reached without a span.
	nearest := map[int]*orderStep{}
	better := func(at orderPlace) bool {
		known := nearest[o.needs(at)]
		return (!last || o.needs(at) == 0) && (known == nil || at.before(known.at))
	}
	for _, from := range steps {
		if o.lines.open && allSound(spans) && better(from.at) {
			nearest[o.needs(from.at)] = &orderStep{from.at, from, slices.Repeat([]int{none}, len(spans))}
		}
		for _, end := range o.ends(from.at, fits) {
			// The lines before the end need their spans now, and the end takes one.
			if o.needs(from.at)-o.needAfter[end] >= len(spans) {
				break
			}
			if to := o.after(end); better(to) {
				if lineOf := o.step(from.at, end, spans, fits); lineOf != nil {
					nearest[o.needs(to)] = &orderStep{to, from, lineOf}
				}
			}
		}
	}
	// In their order, so that the same spans are always assigned the same.
	return slices.SortedFunc(maps.Values(nearest), func(a, b *orderStep) int {
		if a.at.before(b.at) {
			return -1
		}
		return 1 // no two are at one place
	})
}

// ends are the lines from a place on that some span may stand for.
func (o *order) ends(from orderPlace, fits [][]int) []int {
	if len(fits) == 1 {
		begin, _ := slices.BinarySearch(fits[0], from.line)
		return fits[0][begin:]
	}
	var ends []int
	for _, lines := range fits {
		begin, _ := slices.BinarySearch(lines, from.line)
		ends = append(ends, lines[begin:]...)
	}
	slices.Sort(ends)
	return slices.Compact(ends)
}

// after is the place where some span stands for a line.
func (o *order) after(line int) orderPlace {
	if o.lines.lines[line].Repeat.unbounded() {
		return orderPlace{line, true}
	}
	return orderPlace{line + 1, false}
}

// fits lists for each span the lines that it may stand for.
func (o *order) fits(spans []*vertex) [][]int {
	all := make([][]int, len(spans))
	for i, v := range spans {
		for _, g := range o.lines.candidates(v) {
			group := o.lines.groups[g].lines
			if o.m.matches(o.lines.lines[group[0]], v) {
				all[i] = append(all[i], group...)
			}
		}
		slices.Sort(all[i])
	}
	return all
}

// step assigns the spans of one moment to the lines from a place to an end, of
// which the last gets at least one; nil where that is impossible.
func (o *order) step(from orderPlace, end int, spans []*vertex, fits [][]int) []int {
	f := newFlow(len(spans), end-from.line+1)
	for i, v := range spans {
		begin, _ := slices.BinarySearch(fits[i], from.line)
		for _, line := range fits[i][begin:] {
			if line <= end {
				f.edges = append(f.edges, int32(line-from.line))
			}
		}
		if f.closeSpan() == 0 && (!o.lines.open || v.Defect != "") {
			return nil
		}
	}
	need := 0
	for i := range f.room {
		if line := from.line + i; line == end || (o.lines.lines[line].Repeat.required() && !(line == from.line && from.taken)) {
			f.room[i] = 1
			need++
		}
	}
	f.fill()
	for i := range f.room {
		need -= f.count[i]
		if f.room[i] = 1; o.lines.lines[from.line+i].Repeat.unbounded() {
			f.room[i] = len(spans)
		}
	}
	if need > 0 {
		return nil
	}
	f.fill()
	for i, g := range f.groupOf {
		if g != none {
			f.groupOf[i] = g + from.line
		} else if !o.lines.open || spans[i].Defect != "" {
			return nil
		}
	}
	return f.groupOf
}

// assignment goes back from the last step.
func (s *orderStep) assignment(lines *siblings, spans []*vertex) *assignment {
	a := newAssignment(lines, spans)
	for end := len(spans); s.previous != nil; s = s.previous {
		end -= len(s.lineOf)
		for i, line := range s.lineOf {
			if line != none {
				a.give(end+i, line)
			}
		}
	}
	return a
}
