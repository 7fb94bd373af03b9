package spantree

import (
	"slices"
	"strconv"
	"strings"
)

// linkTarget gives the node of the forest that a link points to, or its ids with
// variables for them. Both are nothing where neither is known.
func (r *recorder) linkTarget(l Link) (*Node, string) {
	if target := r.byID[spanKey{l.TraceID, l.SpanID}]; target != nil {
		return target, ""
	}
	both := r.unfill.text(l.TraceID + "/" + l.SpanID)
	trace, span, separate := strings.Cut(both, "/")
	switch {
	case trace == l.TraceID:
		return nil, ""
	case separate && span == l.SpanID:
		return nil, trace
	}
	return nil, both
}

// linkText words the links of a node, for ordering and comparing. With ids no
// other node with links into the forest has the same text.
func (r *recorder) linkText(n *Node, ids bool) string {
	var words []string
	for _, l := range n.Span.Links {
		target, text := r.linkTarget(l)
		if target != nil {
			text = target.Span.Name
			if ids {
				text = n.Span.TraceID + "/" + n.Span.SpanID
			}
		}
		words = append(words, strconv.Quote(text))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// linkLines adds the conditions on links, and labels to the lines that they point
// to.
func (r *recorder) linkLines(tree *Tree) {
	kept := map[*Expected]bool{}
	walkLines(tree.Roots, func(e *Expected) { kept[e] = true })
	labels := 0
	walkLines(tree.Roots, func(e *Expected) {
		var values []string
		for _, l := range r.nodes[e].Span.Links {
			target, ids := r.linkTarget(l)
			if target != nil && kept[r.recorded[target].Expected] {
				line := r.recorded[target].Expected
				if line.Label == "" {
					labels++
					line.Label = strconv.Itoa(labels)
				}
				ids = "@" + line.Label
			}
			if ids != "" {
				values = append(values, ids)
			}
		}
		if len(values) == 0 && len(r.nodes[e].Span.Links) > 0 {
			e.Conditions = append(e.Conditions, HasLink())
		}
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			e.Conditions = append(e.Conditions, Condition{Subject: SubjectLink, Value: value})
		}
	})
}
