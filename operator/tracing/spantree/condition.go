package spantree

import (
	"slices"
)

// Subject is the part of a span that a [Condition] is about.
type Subject int

// The subjects. The zero value is an attribute.
const (
	// SubjectAttribute is the attribute of the condition's key.
	SubjectAttribute Subject = iota
	// SubjectDuration is the time from start to end.
	SubjectDuration
	// SubjectLink is any link of the span.
	SubjectLink
	// SubjectEvent is any event of the span.
	SubjectEvent
)

// The keywords of the text format for subjects other than attributes.
var subjectWords = map[Subject]string{
	SubjectDuration: "duration", SubjectLink: "link", SubjectEvent: "event",
}

// Operator is the comparison of a [Condition].
type Operator int

// The operators. Attributes and events support the first four, links support Present and Absent,
// and durations support Equals and the last four.
const (
	// Equals compares the whole value.
	Equals Operator = iota
	// Matches requires that a regular expression matches the whole value.
	Matches
	// Present accepts any value.
	Present
	// Absent requires that the attribute, link or event does not exist.
	Absent
	// Below requires a smaller value.
	Below
	// AtMost requires a smaller or equal value.
	AtMost
	// Above requires a larger value.
	Above
	// AtLeast requires a larger or equal value.
	AtLeast
)

// The signs of the text format between a key and a value.
var operatorSigns = map[Operator]string{Equals: "=", Matches: "=~", Below: "<", AtMost: "<=", Above: ">", AtLeast: ">="}

// Condition is a condition on one part of a span. An invalid condition, such as a duration of
// "soon", never holds, and the failed match contains the reason.
type Condition struct {
	// Subject is SubjectAttribute in the zero value.
	Subject Subject
	// Key is the key of the attribute. It is empty for other subjects.
	Key      string
	Operator Operator
	// Value is the value to compare with, in the text format: a value, a regular expression, a
	// duration such as 1.5s, or the name of an event. It is empty for Present, and for Absent
	// unless the condition names an event.
	Value string
	// Attributes are conditions on the attributes of an event. They are nil for other subjects.
	Attributes []Condition
}

func cloneConditions(conditions []Condition) []Condition {
	copies := slices.Clone(conditions)
	for i, c := range copies {
		copies[i].Attributes = slices.Clone(c.Attributes)
	}
	return copies
}

// String returns the condition in the text format.
func (c Condition) String() string { return c.text(quoteWord) }

// text returns the condition with the given function for quotes. Inside the parentheses of an
// event, other characters need quotes.
func (c Condition) text(quote func(string) string) string {
	key := subjectWords[c.Subject]
	if c.Subject == SubjectAttribute {
		key = quoteKey(c.Key)
	}
	if c.Subject == SubjectEvent {
		quote = quoteInner
	}
	text := ""
	switch {
	case c.Operator == Present:
		text = key
	case c.Operator == Absent && c.Subject == SubjectEvent && c.Value != "":
		text = "!" + key + "=" + quote(c.Value)
	case c.Operator == Absent:
		text = "!" + key
	case c.Subject == SubjectDuration:
		text = key + operatorSigns[c.Operator] + c.Value
	default:
		text = key + operatorSigns[c.Operator] + quote(c.Value)
	}
	if len(c.Attributes) > 0 {
		text += "(" + joinConditions(c.Attributes, quoteInner) + ")"
	}
	return text
}

func joinConditions(conditions []Condition, quote func(string) string) string {
	var text []byte
	for i, c := range conditions {
		if i > 0 {
			text = append(text, ' ')
		}
		text = append(text, c.text(quote)...)
	}
	return string(text)
}

// reservedWord reports whether a bare key is a keyword instead of an attribute.
func reservedWord(word string) bool {
	switch word {
	case "service", "status", "duration", "link", "event":
		return true
	}
	return isKind(word)
}

func isKind(word string) bool {
	switch word {
	case KindInternal, KindServer, KindClient, KindProducer, KindConsumer:
		return true
	}
	return false
}

func attr(key string, value any) Condition { return Condition{Key: key, Value: FormatValue(value)} }

func hasAttr(key string) Condition { return Condition{Key: key, Operator: Present} }

func hasLink() Condition { return Condition{Subject: SubjectLink, Operator: Present} }

func hasEvent(name string) Condition { return Condition{Subject: SubjectEvent, Value: name} }
