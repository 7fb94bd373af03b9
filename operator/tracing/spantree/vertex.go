package spantree

// vertex is a node of the actual forest, made ready for matching.
type vertex struct {
	*Node
	parent   *vertex
	children []*vertex
	// names has a bit of each name among the children, attributes of each
	// attribute whose value some line wants.
	names, attributes uint64
}

// vertices makes a forest ready for matching. It doesn't recurse: spans may be a
// chain of any length.
func (c *compiler) vertices(forest *Forest) []*vertex {
	roots, bits := c.wrap(nil, forest.Roots), map[string]uint64{}
	queue := append([]*vertex(nil), roots...)
	for len(queue) > 0 {
		v := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		v.children = c.wrap(v, v.Children)
		queue = append(queue, v.children...)
		for _, child := range v.children {
			b, known := bits[child.Span.Name]
			if !known {
				b = c.bit(child.Span.Name)
				bits[child.Span.Name] = b
			}
			v.names |= b
		}
		for key, value := range v.Span.Attributes {
			if c.keys[key] {
				v.attributes |= c.bit(key, FormatValue(value))
			}
		}
	}
	return roots
}

func (c *compiler) wrap(parent *vertex, nodes []*Node) []*vertex {
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
