package spantree

import (
	"cmp"
	"slices"
)

// Defect says what is wrong with a node's place in the forest.
type Defect string

// The defects that [Build] marks. A node without one has the empty defect.
const (
	// DefectOrphan: the span's parent is not among the spans. The node is a root.
	DefectOrphan Defect = "orphan"
	// DefectCycle: the span is its own ancestor. The cycle is cut here, at its
	// earliest span, and the node is a root.
	DefectCycle Defect = "cycle"
	// DefectDuplicate: an earlier span has the same id. The node has its own
	// place below its parent, and no children: they belong to the earlier span.
	DefectDuplicate Defect = "duplicate id"
)

// Node is a span and the spans below it, ordered by start.
type Node struct {
	Span     Span
	Children []*Node
	Defect   Defect
}

// Forest is what [Build] makes of spans: one tree for each root. The roots are
// ordered by start. A nil forest is an empty one.
type Forest struct {
	Roots []*Node
}

// spanKey identifies a span. Parents are looked up within the same trace only.
type spanKey struct{ trace, span string }

// Build joins spans by their parents. The order of the spans does not matter,
// except that of several spans with one id the first is taken for the parent.
// Every span given is in the forest exactly once. The slice isn't kept.
func Build(spans []Span) *Forest {
	nodes := make([]*Node, len(spans))
	byID := make(map[spanKey]*Node, len(spans))
	for i, s := range spans {
		nodes[i] = &Node{Span: s}
		if zeroID(s.SpanID) {
			continue // nobody's parent
		}
		key := spanKey{s.TraceID, s.SpanID}
		if _, taken := byID[key]; taken {
			nodes[i].Defect = DefectDuplicate
			continue
		}
		byID[key] = nodes[i]
	}
	parents := make(map[*Node]*Node, len(spans))
	for _, n := range nodes {
		if n.Span.IsRoot() {
			continue
		}
		parent, found := byID[spanKey{n.Span.TraceID, n.Span.ParentSpanID}]
		if !found {
			n.Defect = DefectOrphan
			continue
		}
		parents[n] = parent
	}
	cutCycles(nodes, parents)

	forest := &Forest{}
	for _, n := range nodes {
		if parent := parents[n]; parent != nil {
			parent.Children = append(parent.Children, n)
		} else {
			forest.Roots = append(forest.Roots, n)
		}
	}
	sortNodes(forest.Roots)
	for _, n := range nodes {
		sortNodes(n.Children)
	}
	return forest
}

// cutCycles makes a root of one node of every cycle. Each node has at most one
// parent, so walking up from every node, and stopping where an earlier walk
// went, visits each node once.
func cutCycles(nodes []*Node, parents map[*Node]*Node) {
	walkOf := make(map[*Node]int, len(nodes))
	for i, start := range nodes {
		walk := i + 1
		n := start
		for n != nil && walkOf[n] == 0 {
			walkOf[n] = walk
			n = parents[n]
		}
		if n == nil || walkOf[n] != walk {
			continue
		}
		first := n
		for m := parents[n]; m != n; m = parents[m] {
			if compareNodes(m, first) < 0 {
				first = m
			}
		}
		first.Defect = DefectCycle
		delete(parents, first)
	}
}

func sortNodes(nodes []*Node) { slices.SortStableFunc(nodes, compareNodes) }

// compareNodes orders by start, and by name and id where clocks are too coarse
// to tell, so that the same spans always print the same.
func compareNodes(a, b *Node) int {
	return cmp.Or(
		a.Span.Start.Compare(b.Span.Start),
		cmp.Compare(a.Span.Name, b.Span.Name),
		cmp.Compare(a.Span.SpanID, b.Span.SpanID),
	)
}

// Walk calls visit for every node, parents first, with its depth (0 for a
// root). It stops where visit returns false.
func (f *Forest) Walk(visit func(n *Node, depth int) bool) {
	if f == nil {
		return
	}
	type item struct {
		node  *Node
		depth int
	}
	var stack []item
	push := func(nodes []*Node, depth int) {
		for _, n := range slices.Backward(nodes) {
			stack = append(stack, item{n, depth})
		}
	}
	push(f.Roots, 0)
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if !visit(top.node, top.depth) {
			return
		}
		push(top.node.Children, top.depth+1)
	}
}

// Spans lists the spans of the forest, parents first.
func (f *Forest) Spans() []Span {
	var spans []Span
	f.Walk(func(n *Node, _ int) bool {
		spans = append(spans, n.Span)
		return true
	})
	return spans
}

// Defective lists the nodes whose place is wrong: missing parents, cycles and
// duplicate ids. It is empty for a sound trace.
func (f *Forest) Defective() []*Node {
	var nodes []*Node
	f.Walk(func(n *Node, _ int) bool {
		if n.Defect != "" {
			nodes = append(nodes, n)
		}
		return true
	})
	return nodes
}
