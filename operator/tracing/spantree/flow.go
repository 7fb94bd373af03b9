package spantree

// flow is a bipartite matching of spans with groups of lines. A group accepts several spans. It is
// the algorithm of Hopcroft and Karp: rounds of shortest augmenting paths. The number of rounds is
// at most the root of the number of spans.
type flow struct {
	// edges[ends[i-1]:ends[i]] are the groups that span i fits.
	edges []int32
	ends  []int
	// groupOf has the group of each span, or none.
	groupOf []int
	// room is the maximum number of spans of each group, and count the current number.
	room, count []int

	// The state of the current round: the length of the shortest path from a span without a group
	// to each group, the spans of each group, and the position of the search in each list of edges
	// and of spans.
	level              []int
	members            [][]int
	nextEdge, nextSpan []int
}

func newFlow(spans, groups int) *flow {
	f := &flow{
		ends: make([]int, 0, spans), groupOf: make([]int, spans), room: make([]int, groups), count: make([]int, groups),
		level: make([]int, groups), members: make([][]int, groups), nextEdge: make([]int, spans), nextSpan: make([]int, groups),
	}
	for i := range f.groupOf {
		f.groupOf[i] = none
	}
	return f
}

// closeSpan ends the list of edges of the next span.
func (f *flow) closeSpan() { f.ends = append(f.ends, len(f.edges)) }

func (f *flow) edgesOf(span int) []int32 {
	if span == 0 {
		return f.edges[:f.ends[0]]
	}
	return f.edges[f.ends[span-1]:f.ends[span]]
}

// fill assigns as many spans to groups as the room allows. Spans that have a group keep a group,
// and groups keep at least their number of spans.
func (f *flow) fill() {
	for span := range f.groupOf {
		if f.groupOf[span] != none {
			continue
		}
		for _, g := range f.edgesOf(span) {
			if f.count[g] < f.room[g] {
				f.groupOf[span] = int(g)
				f.count[g]++
				break
			}
		}
	}
	for f.measure() {
		for span := range f.groupOf {
			if f.groupOf[span] == none {
				f.augment(span, 0)
			}
		}
	}
}

// measure finds the length of the shortest path to each group, breadth first, and reports whether
// any of these groups accepts another span.
func (f *flow) measure() bool {
	for g := range f.level {
		f.level[g] = none
		f.members[g] = f.members[g][:0]
		f.nextSpan[g] = 0
	}
	var current, next []int
	for span, g := range f.groupOf {
		f.nextEdge[span] = 0
		if g == none {
			current = append(current, span)
		} else {
			f.members[g] = append(f.members[g], span)
		}
	}
	found := false
	for depth := 0; len(current) > 0 && !found; depth++ {
		next = next[:0]
		for _, span := range current {
			for _, g := range f.edgesOf(span) {
				if f.level[g] != none {
					continue
				}
				f.level[g] = depth
				if f.count[g] < f.room[g] {
					found = true
				}
				next = append(next, f.members[g]...)
			}
		}
		current, next = next, current
	}
	return found
}

// augment finds a group for a span along a shortest path, and moves the spans on the path from
// group to group. The depth of the recursion is at most the number of groups.
func (f *flow) augment(span, depth int) bool {
	edges := f.edgesOf(span)
	for ; f.nextEdge[span] < len(edges); f.nextEdge[span]++ {
		g := edges[f.nextEdge[span]]
		if f.level[g] != depth {
			continue
		}
		if f.count[g] < f.room[g] {
			f.groupOf[span] = int(g)
			f.count[g]++
			return true
		}
		for ; f.nextSpan[g] < len(f.members[g]); f.nextSpan[g]++ {
			if f.augment(f.members[g][f.nextSpan[g]], depth+1) {
				// The other span has left the group, and this span takes its place.
				f.groupOf[span] = int(g)
				f.nextSpan[g]++
				return true
			}
		}
	}
	return false
}
