package spantree

import "strings"

// maxPrintedDepth limits the indentation, which would otherwise need space quadratic in the length
// of a chain of spans.
const maxPrintedDepth = 100

// String returns the forest in the format of expected trees: names, kinds, services if they change,
// and statuses other than Unset. Defects follow as comments. It omits attributes; [Record] has
// them.
func (f *Forest) String() string {
	var b strings.Builder
	var services []string // the services of the ancestors, by depth
	f.Walk(func(n *Node, depth int) bool {
		parent := ""
		if depth > 0 {
			parent = services[depth-1]
		}
		services = append(services[:depth], n.Span.Service)
		b.WriteString(strings.Repeat(indentation, min(depth, maxPrintedDepth)) + nodeLine(n, parent) + "\n")
		return true
	})
	return b.String()
}

// nodeLine returns the line of a node, with additional conditions.
func nodeLine(n *Node, parentService string, conditions ...Condition) string {
	e := Expected{Name: n.Span.Name, Conditions: conditions}
	if isKind(n.Span.Kind) {
		e.Kind = n.Span.Kind
	}
	if n.Span.Service != parentService {
		e.Service = n.Span.Service
	}
	if n.Span.Code() != StatusUnset {
		e.Status = n.Span.Code()
	}
	line := e.String()
	if n.Defect != "" {
		line += "  # " + n.Defect.explain(n.Span)
	}
	return line
}
