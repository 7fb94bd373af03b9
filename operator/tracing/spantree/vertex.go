package spantree

// vertex is a node of the actual forest, prepared for matching.
type vertex struct {
	*Node
	parent   *vertex
	children []*vertex
}

// vertices prepares a forest for matching. It does not recurse, because spans can be a chain of any
// length.
func vertices(forest *Forest) []*vertex {
	roots := wrap(nil, forest.Roots)
	stack := append([]*vertex(nil), roots...)
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		v.children = wrap(v, v.Children)
		stack = append(stack[:len(stack)-1], v.children...)
	}
	return roots
}

func wrap(parent *vertex, nodes []*Node) []*vertex {
	if len(nodes) == 0 {
		return nil
	}
	all := make([]vertex, len(nodes))
	pointers := make([]*vertex, len(nodes))
	for i, n := range nodes {
		all[i] = vertex{Node: n, parent: parent}
		pointers[i] = &all[i]
	}
	return pointers
}

// place words where a span was found.
func (v *vertex) place() string {
	if v.parent == nil {
		return "as a root"
	}
	return "below " + quoteName(v.parent.Span.Name)
}
