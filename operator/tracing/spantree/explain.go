package spantree

import (
	"fmt"
	"strings"
)

// String gives the difference in one line.
func (d Difference) String() string {
	what := ""
	switch {
	case d.Want != nil && d.Want.Line > 0:
		what = fmt.Sprintf("%s (line %d)", d.Want, d.Want.Line)
	case d.Want != nil:
		what = d.Want.String()
	case d.Got != nil:
		what = quoteName(d.Got.Span.Name)
	}
	if d.Got != nil {
		what += " span " + d.Got.Span.SpanID
	}
	return fmt.Sprintf("%s: %s: %s", d.Type, what, strings.Join(d.Details, "; "))
}

// Explain prints the differences, the expected tree and the actual one. A mark
// in the first column of a tree's line says what is wrong with it:
//
//   - missing
//   - extra
//     > moved
//     ~ different
//
// It is the empty string where the match passed.
func (r *Result) Explain() string {
	if r.OK() {
		return ""
	}
	var b strings.Builder
	wants, gots := map[*Expected]string{}, map[*Node]string{}
	fmt.Fprintf(&b, "%d differences:\n", len(r.differences))
	for _, d := range r.differences {
		fmt.Fprintf(&b, "  %s\n", d)
		mark := map[DifferenceType]string{Missing: "-", Extra: "+", Moved: ">", Differing: "~"}[d.Type]
		if d.Want != nil {
			wants[d.Want] = mark
		}
		if d.Got != nil {
			gots[d.Got] = mark
		}
	}
	b.WriteString("expected (- missing, > moved, ~ different):\n")
	explainExpected(&b, r.want.Roots, r.want.Open, 0, wants)
	b.WriteString("actual (+ extra, > moved, ~ different):\n")
	writeForest(&b, r.got, gots)
	return b.String()
}

func explainExpected(b *strings.Builder, nodes []*Expected, open bool, depth int, marks map[*Expected]string) {
	indent := strings.Repeat(indentation, depth)
	for _, e := range nodes {
		fmt.Fprintf(b, "%1s %s%s\n", marks[e], indent, e)
		explainExpected(b, e.Children, e.Open, depth+1, marks)
	}
	if open {
		fmt.Fprintf(b, "  %s...\n", indent)
	}
}

// String prints the forest in the format of expected trees: names, kinds,
// services where they change, and statuses that aren't Unset. What is wrong
// with a node's place follows as a comment. Attributes are left out.
func (f *Forest) String() string {
	var b strings.Builder
	writeForest(&b, f, nil)
	return b.String()
}

// maxPrintedDepth bounds the indentation, which would otherwise take space
// quadratic in the length of a chain of spans.
const maxPrintedDepth = 100

// writeForest writes a line for every node, after its mark where there are
// marks.
func writeForest(b *strings.Builder, f *Forest, marks map[*Node]string) {
	var services []string // of the ancestors, by depth
	f.Walk(func(n *Node, depth int) bool {
		parent := ""
		if depth > 0 {
			parent = services[depth-1]
		}
		services = append(services[:depth], n.Span.Service)
		if marks != nil {
			fmt.Fprintf(b, "%1s ", marks[n])
		}
		b.WriteString(strings.Repeat(indentation, min(depth, maxPrintedDepth)) + nodeLine(n, parent) + "\n")
		return true
	})
}

func nodeLine(n *Node, parentService string) string {
	e := Expected{Name: n.Span.Name}
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
