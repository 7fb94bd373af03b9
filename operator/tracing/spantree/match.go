package spantree

import "fmt"

// Result is the outcome of a [Match].
type Result struct {
	want        *Tree
	got         *Forest
	ok          bool
	differences []Difference
}

// OK reports whether the forest is what was expected. A nil result isn't.
func (r *Result) OK() bool { return r != nil && r.ok }

// Differences lists what is wrong: first spans in their place, then lines without
// a span or with one that has moved, then spans without a line. It is empty where
// the match passed, and only there.
func (r *Result) Differences() []Difference { return r.differences }

// Match compares a forest with an expected tree.
//
// Every span must be accounted for by one line, and every line without a mark
// by one span, with parents and children alike; siblings have no order. Where a
// span could stand for several lines, any assignment that works is taken: the
// answer doesn't depend on the order of lines or spans. A node with a [Defect]
// fails the match even where a line or ... would accept it; only what is below a
// span that ... lets in is not looked at.
//
// The time is polynomial in the number of lines and spans: each pair is
// compared once, and siblings are assigned by bipartite matching. A nil forest
// is an empty one; a nil tree expects nothing.
func Match(want *Tree, got *Forest) *Result {
	if want == nil {
		want = &Tree{}
	}
	if got == nil {
		got = &Forest{}
	}
	m := &matcher{memo: map[pair]bool{}, services: map[*Expected]string{}}
	m.inherit(want.Roots, "")
	r := &Result{want: want, got: got}
	if m.assign(want.Roots, got.Roots, want.Open, m.matches).complete() {
		r.ok = true
		return r
	}
	d := newDiffer(m)
	r.differences = d.run(want, got)
	return r
}

type pair struct {
	want *Expected
	got  *Node
}

// matcher remembers which pairs match.
type matcher struct {
	memo     map[pair]bool
	services map[*Expected]string
}

// inherit hands the service of a line down to the lines below it.
func (m *matcher) inherit(nodes []*Expected, service string) {
	for _, e := range nodes {
		m.services[e] = service
		if e.Service != "" {
			m.services[e] = e.Service
		}
		m.inherit(e.Children, m.services[e])
	}
}

// matches reports whether a span and everything below it is what the line and
// everything below it expects. The recursion is as deep as the expected tree.
func (m *matcher) matches(want *Expected, got *Node) bool {
	key := pair{want, got}
	if known, ok := m.memo[key]; ok {
		return known
	}
	ok := got.Defect == "" && len(m.mismatches(want, got)) == 0 &&
		m.assign(want.Children, got.Children, want.Open, m.matches).complete()
	m.memo[key] = ok
	return ok
}

// mismatches lists why the span itself, its place and its children left aside,
// isn't what the line expects.
func (m *matcher) mismatches(want *Expected, got *Node) []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	span := got.Span
	if span.Name != want.Name {
		add("name is %s, want %s", quoteName(span.Name), quoteName(want.Name))
	}
	if want.Kind != "" && span.Kind != want.Kind {
		add("kind is %s, want %s", quoteWord(span.Kind), want.Kind)
	}
	if service := m.services[want]; service != "" && span.Service != service {
		add("service is %s, want %s", quoteWord(span.Service), quoteWord(service))
	}
	if problem := statusMismatch(want.Status, span); problem != "" {
		add("%s", problem)
	}
	for _, c := range want.Conditions {
		if problem := c.mismatch(span.Attributes); problem != "" {
			add("%s", problem)
		}
	}
	return found
}

func statusMismatch(want string, span Span) string {
	got := span.Code()
	message := ""
	if span.Status.Message != "" {
		message = fmt.Sprintf(" (%q)", span.Status.Message)
	}
	switch {
	case want == StatusAny, want == got, want == "" && got != StatusError:
		return ""
	case want == "":
		return fmt.Sprintf("status is %s%s, want any other", got, message)
	default:
		return fmt.Sprintf("status is %s%s, want %s", got, message, want)
	}
}

func (c Condition) mismatch(attributes map[string]any) string {
	value, there := attributes[c.Key]
	text := FormatValue(value)
	switch {
	case c.Operator == Absent && there:
		return fmt.Sprintf("%s is %q, want it absent", c.Key, text)
	case c.Operator == Absent:
		return ""
	case !there:
		return fmt.Sprintf("%s is absent, want %s", c.Key, c)
	case c.Operator == Equals && text != c.Value:
		return fmt.Sprintf("%s is %q, want %q", c.Key, text, c.Value)
	case c.Operator == Matches && !c.pattern.MatchString(text):
		return fmt.Sprintf("%s is %q, want a match of %s", c.Key, text, c.pattern)
	}
	return ""
}

// explain says what is wrong with the place of a node that has the defect.
func (d Defect) explain(span Span) string {
	switch d {
	case "":
		return ""
	case DefectOrphan:
		return fmt.Sprintf("its parent %s is missing", span.ParentSpanID)
	case DefectCycle:
		return "it is its own ancestor"
	default:
		return fmt.Sprintf("its id %s is another span's too", span.SpanID)
	}
}
