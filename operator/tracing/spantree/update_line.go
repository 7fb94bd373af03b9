package spantree

import (
	"fmt"
	"slices"
)

// change returns the line for its spans. It keeps the parts that match all of them.
func (u *update) change(l *line, written *Expected, spans []*vertex) *Expected {
	changed := *written
	if len(spans) == 0 {
		return &changed
	}
	first := u.recorder.line(&spans[0].Span)
	if fails(spans, func(s *Span) bool { return s.Name == l.Name }) {
		changed.Name = first.Name
	}
	if l.Kind != "" && fails(spans, func(s *Span) bool { return s.Kind == l.Kind }) {
		changed.Kind = ""
		if same(spans, func(s *Span) string { return s.Kind }) {
			changed.Kind = first.Kind
		}
	}
	if l.service != "" && fails(spans, func(s *Span) bool { return s.Service == l.service }) {
		changed.Service = first.Service
	}
	if fails(spans, func(s *Span) bool { return statusHolds(l.Status, s.Code()) }) {
		changed.Status = StatusAny
		if same(spans, func(s *Span) string { return s.Code() }) {
			changed.Status = first.Status
		}
	}
	changed.Conditions = nil
	for i, c := range written.Conditions {
		if !fails(spans, func(s *Span) bool { return u.matcher.testHolds(&l.tests[i], s) }) {
			changed.Conditions = append(changed.Conditions, c)
		} else if another, ok := u.condition(l, c, spans); ok {
			changed.Conditions = append(changed.Conditions, another)
		}
	}
	return &changed
}

// fails reports whether at least one span does not meet a condition.
func fails(spans []*vertex, holds func(*Span) bool) bool {
	return slices.ContainsFunc(spans, func(v *vertex) bool { return !holds(&v.Span) })
}

// same reports whether get returns the same value for all spans.
func same(spans []*vertex, get func(*Span) string) bool {
	first := get(&spans[0].Span)
	return !fails(spans, func(s *Span) bool { return get(s) == first })
}

// condition returns the replacement of a condition that is not met, if there is one.
func (u *update) condition(l *line, c Condition, spans []*vertex) (Condition, bool) {
	switch c.Subject {
	case SubjectAttribute:
		return u.attributeOf(c, spans)
	case SubjectDuration:
		u.problems = append(u.problems, fmt.Errorf("line %d: %s lasts %s, want %s; edit the bound by hand",
			l.Line, spans[0].Span.Name, spans[0].Span.Duration(), c))
	case SubjectLink:
		return hasLink(), !fails(spans, func(s *Span) bool { return len(s.Links) > 0 })
	}
	return Condition{}, false
}

// attributeOf records an attribute again. A condition with a value keeps a value, whatever the
// rules are.
func (u *update) attributeOf(c Condition, spans []*vertex) (Condition, bool) {
	if fails(spans, func(s *Span) bool { _, there := s.Attributes[c.Key]; return there }) {
		return Condition{}, false
	}
	value := spans[0].Span.Attributes[c.Key]
	kept, ok := u.attribute(c.Key, value)
	if c.Operator == Equals || c.Operator == Matches {
		kept, ok = attr(c.Key, u.unfill.text(FormatValue(value))), true
	}
	if kept.Operator == Equals && !same(spans, func(s *Span) string { return FormatValue(s.Attributes[c.Key]) }) {
		kept = hasAttr(c.Key)
	}
	return kept, ok
}
