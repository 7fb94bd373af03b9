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
	// SubjectLink is a link of the span, whichever fits.
	SubjectLink
	// SubjectEvent is an event of the span, whichever fits.
	SubjectEvent
)

// The words of the text format for subjects that aren't attributes.
var subjectWords = map[Subject]string{
	SubjectDuration: "duration", SubjectLink: "link", SubjectEvent: "event",
}

// Operator is how a [Condition] compares.
type Operator int

// The operators. Attributes and events take the first four, links Present and
// Absent; durations take Equals and the last four.
const (
	// Equals compares the whole value.
	Equals Operator = iota
	// Matches wants a regular expression to match the whole value.
	Matches
	// Present accepts any value.
	Present
	// Absent wants the attribute, the link or the event not to be there.
	Absent
	// Below is less than the value.
	Below
	// AtMost is not more than the value.
	AtMost
	// Above is more than the value.
	Above
	// AtLeast is not less than the value.
	AtLeast
)

// The signs of the text format for operators between a key and a value.
var operatorSigns = map[Operator]string{Equals: "=", Matches: "=~", Below: "<", AtMost: "<=", Above: ">", AtLeast: ">="}

// Condition is a condition on one part of a span. A condition that makes no sense,
// such as a duration of "soon", never holds, and the failed match says why.
type Condition struct {
	// Subject is an attribute in the zero value.
	Subject Subject
	// Key is the attribute's; empty for other subjects.
	Key      string
	Operator Operator
	// Value is what the subject is compared with, as it is in the text: a value,
	// a regular expression, a duration such as 1.5s, or the name of an event. It is
	// empty for Present, and for Absent except that of an event of one name.
	Value string
	// Attributes are conditions on the attributes of an event; nil for other
	// subjects.
	Attributes []Condition
}

func cloneConditions(conditions []Condition) []Condition {
	copies := slices.Clone(conditions)
	for i, c := range copies {
		copies[i].Attributes = slices.Clone(c.Attributes)
	}
	return copies
}

// String prints the condition in the text format.
func (c Condition) String() string { return c.text(quoteWord) }

// text prints the condition with a way to quote values, which differs inside an
// event's parentheses.
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

// reservedWord reports whether a bare key means something other than an
// attribute.
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
