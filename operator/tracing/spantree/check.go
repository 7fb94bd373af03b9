package spantree

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// holds reports whether the span itself meets the expectations of the line, without its position
// and its children. It is the fast form of mismatches.
func (m *matcher) holds(l *line, v *vertex) bool {
	span := &v.Span
	if span.Name != l.Name || (l.Kind != "" && span.Kind != l.Kind) || (l.service != "" && span.Service != l.service) || !statusHolds(l.Status, span.Code()) {
		return false
	}
	for i := range l.tests {
		if !m.testHolds(&l.tests[i], span) {
			return false
		}
	}
	return true
}

// mismatches returns the reasons why holds returns false.
func (m *matcher) mismatches(l *line, v *vertex) []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	span := &v.Span
	if span.Name != l.Name {
		add("name is %s, want %s", quoteName(span.Name), quoteName(l.Name))
	}
	if l.Kind != "" && span.Kind != l.Kind {
		add("kind is %s, want %s", quoteWord(span.Kind), l.Kind)
	}
	if l.service != "" && span.Service != l.service {
		add("service is %s, want %s", quoteWord(span.Service), quoteWord(l.service))
	}
	if !statusHolds(l.Status, span.Code()) {
		add("%s", statusMismatch(l.Status, span))
	}
	for i := range l.tests {
		if t := &l.tests[i]; !m.testHolds(t, span) {
			found = append(found, t.mismatch(span))
		}
	}
	return found
}

func statusHolds(want, got string) bool {
	return want == StatusAny || want == got || (want == "" && got != StatusError)
}

func statusMismatch(want string, span *Span) string {
	message := ""
	if span.Status.Message != "" {
		message = fmt.Sprintf(" (%q)", span.Status.Message)
	}
	if want == "" {
		want = "any other"
	}
	return fmt.Sprintf("status is %s%s, want %s", span.Code(), message, want)
}

func (m *matcher) testHolds(t *test, span *Span) bool {
	switch {
	case t.problem != "":
		return false
	case t.Subject == SubjectAttribute:
		return t.holdsFor(span.Attributes)
	case t.Subject == SubjectDuration:
		return compares(t.Operator, cmp.Compare(span.Duration(), t.duration))
	case t.Subject == SubjectLink:
		return (len(span.Links) > 0) == (t.Operator != Absent)
	case t.Subject == SubjectEvent:
		there := slices.ContainsFunc(span.Events, t.isEvent)
		return there == (t.Operator != Absent)
	}
	return false
}

// holdsFor evaluates a condition on the attributes of a span or an event.
func (t *test) holdsFor(attributes map[string]any) bool {
	value, there := attributes[t.Key]
	switch t.Operator {
	case Present:
		return there
	case Absent:
		return !there
	case Equals:
		return there && FormatValue(value) == t.Value
	case Matches:
		return there && t.matches(FormatValue(value))
	}
	return false
}

func compares(operator Operator, sign int) bool {
	switch operator {
	case Equals:
		return sign == 0
	case Below:
		return sign < 0
	case AtMost:
		return sign <= 0
	case Above:
		return sign > 0
	case AtLeast:
		return sign >= 0
	}
	return false
}

// isEvent reports whether the condition is about an event, whether it requires or excludes the
// event.
func (t *test) isEvent(e Event) bool {
	switch {
	case t.Operator == Equals && e.Name != t.Value,
		t.Operator == Absent && t.Value != "" && e.Name != t.Value,
		t.Operator == Matches && !t.matches(e.Name):
		return false
	}
	for i := range t.attributes {
		if !t.attributes[i].holdsFor(e.Attributes) {
			return false
		}
	}
	return true
}

// mismatch returns the text for a condition that is not met.
func (t *test) mismatch(span *Span) string {
	if t.problem != "" {
		return fmt.Sprintf("%s is invalid: %s", t.Condition, t.problem)
	}
	switch t.Subject {
	case SubjectDuration:
		return fmt.Sprintf("duration is %s, want %s", span.Duration(), t.Condition)
	case SubjectLink:
		return fmt.Sprintf("links are %s, want %s", wordLinks(span.Links), t.Condition)
	case SubjectEvent:
		return fmt.Sprintf("events are %s, want %s", wordEvents(span.Events), t.Condition)
	}
	value, there := span.Attributes[t.Key]
	text := FormatValue(value)
	switch {
	case t.Operator == Absent:
		return fmt.Sprintf("%s is %q, want it absent", t.Key, text)
	case !there:
		return fmt.Sprintf("%s is absent, want %s", t.Key, t.Condition)
	case t.Operator == Matches:
		return fmt.Sprintf("%s is %q, want a match of %s", t.Key, text, t.Value)
	case t.Operator == Equals:
		return fmt.Sprintf("%s is %q, want %q", t.Key, text, t.Value)
	}
	return fmt.Sprintf("%s is %q; attributes do not support the comparison %s", t.Key, text, t.Condition)
}

// maxWorded limits the number of links or events in a sentence.
const maxWorded = 5

func wordLinks(links []Link) string {
	return wordList(links, func(l Link) string { return l.TraceID + "/" + l.SpanID })
}

func wordEvents(events []Event) string {
	return wordList(events, func(e Event) string {
		text := quoteInner(e.Name)
		keys := make([]string, 0, len(e.Attributes))
		for key, value := range e.Attributes {
			keys = append(keys, quoteKey(key)+"="+quoteInner(FormatValue(value)))
		}
		if slices.Sort(keys); len(keys) > 0 {
			text += "(" + strings.Join(keys, " ") + ")"
		}
		return text
	})
}

func wordList[T any](items []T, word func(T) string) string {
	if len(items) == 0 {
		return "none"
	}
	var words []string
	for _, item := range items[:min(len(items), maxWorded)] {
		words = append(words, word(item))
	}
	if len(items) > maxWorded {
		words = append(words, fmt.Sprintf("and %d more", len(items)-maxWorded))
	}
	return strings.Join(words, ", ")
}

// explain returns a description of the defect of a node.
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
