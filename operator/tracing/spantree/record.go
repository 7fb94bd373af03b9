package spantree

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Keep is the action of [Record] for an attribute.
type Keep int

// The actions for an attribute.
const (
	// KeepNothing omits the attribute.
	KeepNothing Keep = iota
	// KeepKey requires the attribute with any value.
	KeepKey
	// KeepValue requires the attribute with this value.
	KeepValue
)

// Rule is the action for attributes whose keys match a pattern of [path.Match]. A * in the pattern
// also matches slashes.
type Rule struct {
	Pattern string
	Keep    Keep
}

// OperatorRules returns the rules for spans of operators. They keep the values that identify the
// object of a span, and the keys of values that differ from run to run. They omit all other
// attributes.
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

// RecordOptions are options of [Record]. The zero value is for spans of operators, without
// variables.
type RecordOptions struct {
	// Attributes are the rules for attributes (default [OperatorRules]). The first rule with a
	// matching pattern applies. An attribute without such a rule is omitted.
	Attributes []Rule
	// Events are patterns, as in [Rule], for the names of events to keep. Each name is kept once
	// per span. Nil keeps none.
	Events []string
	// Variables are the values that differ from run to run. Record replaces a value that is a whole
	// word in a name or a value with a dollar sign and the name of the variable.
	Variables map[string]string
	// Fold combines equal siblings into one line with the mark +.
	Fold bool
}

// Record returns the expected tree of spans, as a person could have written it: names, kinds,
// services if they change, statuses other than Unset, and the chosen attributes and events. It
// omits ids, times and durations. Of links, it only records that they exist.
//
// Siblings are ordered by start, and equal starts by the recorded text, so ids have no influence.
// With the values of the variables, the tree matches the forest. Record returns an error if the
// forest cannot be expected: it is empty, has a defect, or is deeper than [Parse] permits.
func Record(got *Forest, options RecordOptions) (*Tree, error) {
	if err := recordable(got); err != nil {
		return nil, err
	}
	r := newRecorder(got, options)
	top := r.build(got)
	tree := &Tree{Roots: top.Children}
	r.leaveOutServices(tree.Roots, "")
	return tree, nil
}

// build builds the recorded lines from the leaves to the roots, without recursion. It returns a
// line whose children are the roots.
func (r *recorder) build(got *Forest) *recordedLine {
	var nodes []*Node
	got.Walk(func(n *Node, _ int) bool {
		nodes = append(nodes, n)
		return true
	})
	for _, n := range slices.Backward(nodes) {
		r.recorded[n].take(r.siblings(n.Children))
	}
	top := &recordedLine{Expected: &Expected{}}
	top.take(r.siblings(got.Roots))
	return top
}

func recordable(got *Forest) error {
	var first error
	spans, problems := 0, 0
	problem := func(n *Node, what string) {
		if problems++; first == nil {
			first = fmt.Errorf("recording span %s %s: %s", n.Span.Name, n.Span.SpanID, what)
		}
	}
	got.Walk(func(n *Node, depth int) bool {
		spans++
		if n.Defect != "" {
			problem(n, n.Defect.explain(n.Span))
		}
		if depth > maxDepth {
			problem(n, fmt.Sprintf("more than %d levels", maxDepth))
		}
		return true
	})
	switch {
	case spans == 0:
		return errors.New("recording a forest without spans")
	case problems > 1:
		return fmt.Errorf("%w (problem 1 of %d)", first, problems)
	}
	return first
}

// recordedLine is the line of a node during its construction.
type recordedLine struct {
	*Expected
	// order is the text of the line and a summary of its descendants in their order. equal is the
	// same in sorted order. Nodes with the same equal can be folded.
	order, equal string
}

// take adds children to the line, and updates the summary.
func (l *recordedLine) take(lines []*recordedLine) {
	var orders, equals []string
	for _, child := range lines {
		l.Children = append(l.Children, child.Expected)
		orders = append(orders, string(child.Repeat)+child.order)
		equals = append(equals, string(child.Repeat)+child.equal)
	}
	slices.Sort(equals)
	l.equal = sum(l.order, equals)
	l.order += sum("", orders)
}

func sum(own string, below []string) string {
	digest := sha256.Sum256(fmt.Appendf(nil, "%q", append(below, own)))
	return hex.EncodeToString(digest[:])
}

type recorder struct {
	options RecordOptions
	unfill  unfiller
	// recorded has the line of each node. Folded nodes share one line.
	recorded map[*Node]*recordedLine
	// noService is true if a span has no service. Then no service is recorded, because a line
	// cannot express it.
	noService bool
}

func newRecorder(got *Forest, options RecordOptions) *recorder {
	if options.Attributes == nil {
		options.Attributes = OperatorRules()
	}
	r := &recorder{
		options: options, unfill: newUnfiller(options.Variables), recorded: map[*Node]*recordedLine{},
	}
	got.Walk(func(n *Node, _ int) bool {
		r.noService = r.noService || n.Span.Service == ""
		return true
	})
	got.Walk(func(n *Node, _ int) bool {
		l := &recordedLine{Expected: r.line(&n.Span)}
		l.order = l.String()
		r.recorded[n] = l
		return true
	})
	return r
}

// line records a span with its service, without its children.
func (r *recorder) line(span *Span) *Expected {
	e := &Expected{Name: r.unfill.text(span.Name), Service: r.unfill.text(span.Service)}
	if isKind(span.Kind) {
		e.Kind = span.Kind
	}
	switch span.Code() {
	case StatusUnset:
	case StatusOK, StatusError:
		e.Status = span.Code()
	default:
		e.Status = StatusAny
	}
	for key, value := range span.Attributes {
		if c, kept := r.attribute(key, value); kept {
			e.Conditions = append(e.Conditions, c)
		}
	}
	rank := func(c Condition) int {
		return slices.IndexFunc(r.options.Attributes, func(rule Rule) bool { return fitsPattern(rule.Pattern, c.Key) })
	}
	slices.SortFunc(e.Conditions, func(a, b Condition) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Key, b.Key)) })
	e.Conditions = append(e.Conditions, r.events(span.Events)...)
	if len(span.Links) > 0 {
		e.Conditions = append(e.Conditions, hasLink())
	}
	return e
}

func fitsPattern(pattern, text string) bool {
	// A slash has no special meaning in a key.
	fits, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(text, "/", "\x00"))
	return err == nil && fits
}

// attribute applies the rules to an attribute.
func (r *recorder) attribute(key string, value any) (Condition, bool) {
	for _, rule := range r.options.Attributes {
		if !fitsPattern(rule.Pattern, key) {
			continue
		}
		switch rule.Keep {
		case KeepKey:
			return hasAttr(key), true
		case KeepValue:
			return attr(key, r.unfill.text(FormatValue(value))), true
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
			kept = append(kept, hasEvent(r.unfill.text(e.Name)))
		}
	}
	return kept
}

// siblings returns the lines of nodes in their order, folded if requested. Their children were
// recorded before.
func (r *recorder) siblings(nodes []*Node) []*recordedLine {
	nodes = slices.Clone(nodes)
	slices.SortStableFunc(nodes, func(a, b *Node) int {
		return cmp.Or(a.Span.Start.Compare(b.Span.Start), cmp.Compare(r.recorded[a].order, r.recorded[b].order))
	})
	var kept []*recordedLine
	first := map[string]*recordedLine{}
	for _, n := range nodes {
		l := r.recorded[n]
		if equal := first[l.equal]; equal != nil && r.options.Fold {
			equal.Repeat = OnceOrMore
			r.recorded[n] = equal
			continue
		}
		first[l.equal] = l
		kept = append(kept, l)
	}
	return kept
}

// leaveOutServices removes services that are equal to the service of the parent line.
func (r *recorder) leaveOutServices(lines []*Expected, above string) {
	for _, e := range lines {
		own := e.Service
		if own == above || r.noService {
			e.Service = ""
		}
		r.leaveOutServices(e.Children, own)
	}
}
