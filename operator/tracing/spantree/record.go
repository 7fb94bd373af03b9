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
	// name or a value, as a whole word, $ and the name of the
	// variable stand in its place.
	Variables map[string]string
	// Fold makes one line with the mark + of equal siblings.
	Fold bool
}

// Record makes an expected tree of spans, as one could have written it by hand:
// names, kinds, services where they change, statuses other than Unset, and the
// attributes and events that are chosen. Ids, times and durations are left out. Of
// links it is only noted that there are some.
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
	top := r.build(got)
	tree := &Tree{Roots: top.Children}
	r.leaveOutServices(tree.Roots, "")
	return tree, nil
}

// build puts the lines below each other, from the leaves to the roots and without
// recursion, and gives a line that has the roots below it.
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

// recordedLine is the line of a node while it is made.
type recordedLine struct {
	*Expected
	// order is the text of the line and what stands for everything below it. Nodes
	// where it is equal may be folded, whatever the order of those below: equal.
	order, equal string
}

// take puts lines below the line, and sums them up.
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
	// recorded has the line of each node; where several are folded into one, that
	// one.
	recorded map[*Node]*recordedLine
	// noService says that some span has none: then none is recorded, because a line
	// can't say so.
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

// line records a span without what is below it, and with its service.
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

// siblings gives the lines of nodes in their order, folded where that is asked
// for. What is below them is recorded already.
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

// leaveOutServices leaves out services that are those of the line above.
func (r *recorder) leaveOutServices(lines []*Expected, above string) {
	for _, e := range lines {
		own := e.Service
		if own == above || r.noService {
			e.Service = ""
		}
		r.leaveOutServices(e.Children, own)
	}
}
