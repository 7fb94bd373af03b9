package spantree

import (
	"cmp"
	"slices"
)

// Defect is an error in the position of a node in the forest.
type Defect string

// The defects that [Build] marks. A node without a defect has the empty value.
const (
	// DefectOrphan: the parent of the span is missing. The node is a root.
	DefectOrphan Defect = "orphan"
	// DefectCycle: the span is its own ancestor. Build cuts the cycle at its earliest span, and the
	// node is a root.
	DefectCycle Defect = "cycle"
	// DefectDuplicate: an earlier span has the same id. The node is a child of its parent and has
	// no children: they belong to the earlier span.
	DefectDuplicate Defect = "duplicate id"
)

// Node is a span and its children, ordered by start.
type Node struct {
	Span     Span
	Children []*Node
	Defect   Defect
}

// Forest is the result of [Build]: one tree for each root. The roots are ordered by start. A nil
// forest is empty.
type Forest struct {
	Roots []*Node
}

// spanKey identifies a span. A parent is a span of the same trace.
type spanKey struct{ trace, span string }

// Build returns the forest of the spans. The order of the spans matters only if several spans have
// the same id: then the first is the parent. Every span is in the forest exactly once. Build does
// not keep the slice.
func Build(spans []Span) *Forest {
	nodes := make([]*Node, len(spans))
	byID := make(map[spanKey]*Node, len(spans))
	for i, s := range spans {
		nodes[i] = &Node{Span: s}
		if zeroID(s.SpanID) {
			continue // It cannot be a parent.
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

// cutCycles makes one node of every cycle a root. Each node has at most one parent. So a walk from
// every node towards its root that stops at nodes of earlier walks visits each node once.
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

// compareNodes orders nodes by start. If the starts are equal, it orders them by name and id, so
// that the same spans are always printed in the same order.
func compareNodes(a, b *Node) int {
	return cmp.Or(
		a.Span.Start.Compare(b.Span.Start),
		cmp.Compare(a.Span.Name, b.Span.Name),
		cmp.Compare(a.Span.SpanID, b.Span.SpanID),
	)
}

// Walk calls visit for every node, parents first, with its depth (0 for a root). It stops when
// visit returns false.
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

// Spans returns the spans of the forest, parents first.
func (f *Forest) Spans() []Span {
	var spans []Span
	f.Walk(func(n *Node, _ int) bool {
		spans = append(spans, n.Span)
		return true
	})
	return spans
}

// Defective returns the nodes with a defect: a missing parent, a cycle or a duplicate id. It
// returns nil for a correct trace.
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
