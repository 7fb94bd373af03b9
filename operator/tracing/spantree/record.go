package spantree

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Keep is what [Record] does with an attribute.
type Keep int

// What may be done with an attribute.
const (
	// KeepNothing leaves the attribute out: it may be there or not.
	KeepNothing Keep = iota
	// KeepKey wants the attribute to be there, whatever its value.
	KeepKey
	// KeepValue wants the attribute to have this value.
	KeepValue
)

// Rule says what to do with the attributes whose keys fit a pattern of
// [path.Match], in which * stands for anything within the key.
type Rule struct {
	Pattern string
	Keep    Keep
}

// OperatorRules are for spans of operators: the values that say which object a
// span is about, and the presence of those that differ from run to run. Attributes
// of others are left out.
func OperatorRules() []Rule {
	return []Rule{
		{"operator.object.uid", KeepKey},
		{"operator.object.*", KeepValue},
		{"operator.reconcile.id", KeepKey},
		{"operator.reconcile.result", KeepKey},
		{"k8s.namespace.name", KeepValue},
		{"error.type", KeepValue},
	}
}

// RecordOptions say what [Record] keeps of spans. The zero value is for those of
// operators, without variables.
type RecordOptions struct {
	// Attributes are tried in their order, and the first whose pattern fits
	// decides; where none does, the attribute is left out. Nil is [OperatorRules].
	Attributes []Rule
	// Events are patterns, as those of rules, for the names of events to keep. An
	// event of the same name is kept once a span. Nil keeps none.
	Events []string
	// Variables are the values that differ from run to run. Where one stands in a
	// name, a value or the id of a link, as a whole word, $ and the name of the
	// variable stand in its place.
	Variables map[string]string
	// Fold makes one line with the mark + of equal siblings.
	Fold bool
	// Ordered wants all siblings to start in the order recorded. Equal siblings
	// are folded only where they follow each other.
	Ordered bool
}

// Record makes an expected tree of spans, as one could have written it by hand:
// names, kinds, services where they change, statuses other than Unset, and the
// attributes and events that are chosen. Ids, times and durations are left out. A
// link is kept where its target is a span of the forest, which gets a label, or a
// variable has its id; any other link is only noted to be there.
//
// Siblings are ordered by start, and by what is recorded of them where that is
// equal, so that ids have no influence. Filled in with the variables, the tree
// matches the forest. An error says that the forest can't be expected: it is
// empty, some place in it is wrong, or it is deeper than [Parse] reads.
func Record(got *Forest, options RecordOptions) (*Tree, error) {
	if err := recordable(got); err != nil {
		return nil, err
	}
	r := newRecorder(got, options)
	// From the leaves to the roots, and without recursion.
	var order []*Node
	got.Walk(func(n *Node, _ int) bool {
		order = append(order, n)
		return true
	})
	for _, n := range slices.Backward(order) {
		r.recorded[n].Children = r.siblings(n.Children)
	}
	roots := r.siblings(got.Roots)
	r.services(roots)
	tree := &Tree{Roots: roots, Ordered: options.Ordered && len(roots) > 1}
	r.label(tree)
	return tree, nil
}

func recordable(got *Forest) error {
	var problems []error
	spans := 0
	got.Walk(func(n *Node, depth int) bool {
		spans++
		if n.Defect != "" {
			problems = append(problems, fmt.Errorf("recording span %s %s: %s", n.Span.Name, n.Span.SpanID, n.Defect.explain(n.Span)))
		}
		if depth > maxDepth {
			problems = append(problems, fmt.Errorf("recording span %s %s: more than %d levels", n.Span.Name, n.Span.SpanID, maxDepth))
		}
		return len(problems) < maxWorded
	})
	if spans == 0 {
		problems = append(problems, errors.New("recording a forest without spans"))
	}
	return errors.Join(problems...)
}

type recorder struct {
	options RecordOptions
	unfill  unfiller
	// recorded has the line of each node, and nodes the first node of each line.
	recorded map[*Node]*Expected
	nodes    map[*Expected]*Node
	byID     map[spanKey]*Node
}

func newRecorder(got *Forest, options RecordOptions) *recorder {
	if options.Attributes == nil {
		options.Attributes = OperatorRules()
	}
	r := &recorder{
		options: options, unfill: newUnfiller(options.Variables),
		recorded: map[*Node]*Expected{}, nodes: map[*Expected]*Node{}, byID: map[spanKey]*Node{},
	}
	got.Walk(func(n *Node, _ int) bool {
		r.recorded[n] = r.line(n)
		r.nodes[r.recorded[n]] = n
		r.byID[spanKey{n.Span.TraceID, n.Span.SpanID}] = n
		return true
	})
	return r
}

// line records a span without what is below it, and with its service.
func (r *recorder) line(n *Node) *Expected {
	e := &Expected{
		Name: r.unfill.text(n.Span.Name), Service: r.unfill.text(n.Span.Service),
		Ordered: r.options.Ordered && len(n.Children) > 1,
	}
	if isKind(n.Span.Kind) {
		e.Kind = n.Span.Kind
	}
	switch n.Span.Code() {
	case StatusUnset:
	case StatusOK, StatusError:
		e.Status = n.Span.Code()
	default:
		e.Status = StatusAny
	}
	for key, value := range n.Span.Attributes {
		if c, kept := r.attribute(key, value); kept {
			e.Conditions = append(e.Conditions, c)
		}
	}
	rank := func(c Condition) int {
		return slices.IndexFunc(r.options.Attributes, func(rule Rule) bool { return fitsPattern(rule.Pattern, c.Key) })
	}
	slices.SortFunc(e.Conditions, func(a, b Condition) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Key, b.Key)) })
	e.Conditions = append(e.Conditions, r.events(n.Span.Events)...)
	return e
}

func fitsPattern(pattern, text string) bool {
	// A slash is nothing particular in a key.
	fits, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(text, "/", "\x00"))
	return err == nil && fits
}

// attribute gives what the rules say about an attribute.
func (r *recorder) attribute(key string, value any) (Condition, bool) {
	for _, rule := range r.options.Attributes {
		if !fitsPattern(rule.Pattern, key) {
			continue
		}
		switch rule.Keep {
		case KeepKey:
			return HasAttr(key), true
		case KeepValue:
			return Attr(key, r.unfill.text(FormatValue(value))), true
		}
		break
	}
	return Condition{}, false
}

func (r *recorder) events(events []Event) []Condition {
	var kept []Condition
	seen := map[string]bool{}
	for _, e := range events {
		fits := func(pattern string) bool { return fitsPattern(pattern, e.Name) }
		if !seen[e.Name] && slices.ContainsFunc(r.options.Events, fits) {
			seen[e.Name] = true
			kept = append(kept, HasEvent(r.unfill.text(e.Name)))
		}
	}
	return kept
}

// siblings gives the lines of nodes in their order, folded where that is asked
// for. What is below them is recorded already.
func (r *recorder) siblings(nodes []*Node) []*Expected {
	type recorded struct {
		*Expected
		node *Node
		text string
	}
	var lines []recorded
	for _, n := range nodes {
		e := r.recorded[n]
		tree := Tree{Roots: []*Expected{e}}
		lines = append(lines, recorded{e, n, tree.String() + r.linkText(n)})
	}
	slices.SortStableFunc(lines, func(a, b recorded) int {
		return cmp.Or(a.node.Span.Start.Compare(b.node.Span.Start), cmp.Compare(a.text, b.text))
	})
	var kept []*Expected
	first := map[string]*Expected{}
	last := ""
	for _, l := range lines {
		equal := first[l.text]
		if r.options.Ordered && l.text != last {
			equal = nil
		}
		if last = l.text; r.options.Fold && equal != nil {
			equal.Repeat = OnceOrMore
			continue
		}
		first[l.text] = l.Expected
		kept = append(kept, l.Expected)
	}
	return kept
}

// services leaves out services that are those of the line above.
func (r *recorder) services(roots []*Expected) {
	var below func(lines []*Expected, service string)
	below = func(lines []*Expected, service string) {
		for _, e := range lines {
			own := e.Service
			if own == service {
				e.Service = ""
			}
			below(e.Children, own)
		}
	}
	below(roots, "")
}

// linkTarget gives the node of the forest that a link points to, or the variables
// that have its ids.
func (r *recorder) linkTarget(l Link) (*Node, string) {
	if target := r.byID[spanKey{l.TraceID, l.SpanID}]; target != nil {
		return target, ""
	}
	trace, span := r.unfill.text(l.TraceID), r.unfill.text(l.SpanID)
	both := r.unfill.text(l.TraceID + "/" + l.SpanID)
	switch {
	case trace == l.TraceID && !strings.HasPrefix(both, "$"):
		return nil, ""
	case span != l.SpanID || !strings.Contains(both, "/"):
		return nil, both
	}
	return nil, trace
}

// linkText tells siblings apart that are equal but for their links.
func (r *recorder) linkText(n *Node) string {
	var words []string
	for _, l := range n.Span.Links {
		target, ids := r.linkTarget(l)
		if target != nil {
			ids = target.Span.Name
		}
		words = append(words, strconv.Quote(ids))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// label adds the conditions on links, and labels to the lines that they point to.
func (r *recorder) label(tree *Tree) {
	labels := map[*Expected]string{}
	walkLines(tree.Roots, func(e *Expected) {
		var conditions []Condition
		others := false
		for _, l := range r.nodes[e].Span.Links {
			target, ids := r.linkTarget(l)
			switch line := r.recorded[target]; {
			case target != nil && r.kept(tree, line):
				if labels[line] == "" {
					labels[line] = strconv.Itoa(len(labels) + 1)
					line.Label = labels[line]
				}
				conditions = append(conditions, LinkTo(line.Label))
			case ids != "":
				conditions = append(conditions, Condition{Subject: SubjectLink, Value: ids})
			default:
				others = true
			}
		}
		if others && len(conditions) == 0 {
			conditions = append(conditions, HasLink())
		}
		for _, c := range conditions {
			if !slices.ContainsFunc(e.Conditions, func(known Condition) bool { return known.Subject == SubjectLink && known.Value == c.Value }) {
				e.Conditions = append(e.Conditions, c)
			}
		}
	})
}
