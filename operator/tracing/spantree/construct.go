package spantree

import (
	"strconv"
	"time"
)

// Option is one thing that [Expect] says about a span: a kind, a [Repeat], a
// [Condition], its [Children] and so on.
type Option interface{ apply(*Expected) }

type optionFunc func(*Expected)

func (f optionFunc) apply(e *Expected) { f(e) }

func (r Repeat) apply(e *Expected)    { e.Repeat = r }
func (c Condition) apply(e *Expected) { e.Conditions = append(e.Conditions, c) }

type kindOption string

func (k kindOption) apply(e *Expected) { e.Kind = string(k) }

// The kinds as options.
const (
	Internal = kindOption(KindInternal)
	Server   = kindOption(KindServer)
	Client   = kindOption(KindClient)
	Producer = kindOption(KindProducer)
	Consumer = kindOption(KindConsumer)
)

type childrenOption int

// What may be said about the children of a line besides which they are.
const (
	// Ordered wants the children to start in the order given.
	Ordered childrenOption = iota
	// OthersAllowed lets in children that are not expected.
	OthersAllowed
)

func (o childrenOption) apply(e *Expected) {
	if o == Ordered {
		e.Ordered = true
	} else {
		e.Open = true
	}
}

// NewTree makes an expected tree of roots. For roots in order, or for others
// beside them, set the fields of the result.
func NewTree(roots ...*Expected) *Tree { return &Tree{Roots: roots} }

// Expect is one line of an expected tree, as it could stand in a text. Without
// options it is exactly one span of the name, of any kind, with any status but
// Error and no children.
func Expect(name string, options ...Option) *Expected {
	e := &Expected{Name: name}
	for _, o := range options {
		o.apply(e)
	}
	return e
}

// Children are the lines below a line. Given twice, the second adds to the first.
func Children(lines ...*Expected) Option {
	return optionFunc(func(e *Expected) { e.Children = append(e.Children, lines...) })
}

// InService wants the service of the span, and of those below it until another
// is stated.
func InService(name string) Option { return optionFunc(func(e *Expected) { e.Service = name }) }

// WithStatus wants a Status constant, or [StatusAny] to accept Error too.
func WithStatus(code string) Option { return optionFunc(func(e *Expected) { e.Status = code }) }

// Labelled gives the line a name that [LinkTo] takes.
func Labelled(label string) Option { return optionFunc(func(e *Expected) { e.Label = label }) }

// Attr wants the attribute to have the value, compared as [FormatValue] words it.
func Attr(key string, value any) Condition { return Condition{Key: key, Value: FormatValue(value)} }

// AttrMatches wants a regular expression to match the attribute's whole value.
func AttrMatches(key, expression string) Condition {
	return Condition{Key: key, Operator: Matches, Value: expression}
}

// HasAttr wants the attribute to be there.
func HasAttr(key string) Condition { return Condition{Key: key, Operator: Present} }

// NoAttr wants the attribute not to be there.
func NoAttr(key string) Condition { return Condition{Key: key, Operator: Absent} }

// DurationBelow wants the span to last less than d.
func DurationBelow(d time.Duration) Condition {
	return Condition{Subject: SubjectDuration, Operator: Below, Value: d.String()}
}

// DurationAtLeast wants the span to last d or longer.
func DurationAtLeast(d time.Duration) Condition {
	return Condition{Subject: SubjectDuration, Operator: AtLeast, Value: d.String()}
}

// LinkTo wants a link to a span that is as the line with the label says, and
// everything below it too; what the two say about links is left aside.
func LinkTo(label string) Condition { return Condition{Subject: SubjectLink, Value: "@" + label} }

// LinkToTrace wants a link to a span by its ids, which need not be of the forest.
// An empty span id is any span of the trace.
func LinkToTrace(traceID, spanID string) Condition {
	c := Condition{Subject: SubjectLink, Value: traceID}
	if spanID != "" {
		c.Value += "/" + spanID
	}
	return c
}

// HasLink wants at least one link.
func HasLink() Condition { return Condition{Subject: SubjectLink, Operator: Present} }

// NoLink wants no link.
func NoLink() Condition { return Condition{Subject: SubjectLink, Operator: Absent} }

// LinkCount wants so many links.
func LinkCount(n int) Condition {
	return Condition{Subject: SubjectLinkCount, Value: strconv.Itoa(n)}
}

// HasEvent wants an event of the name, with all of the conditions on its
// attributes.
func HasEvent(name string, attributes ...Condition) Condition {
	return Condition{Subject: SubjectEvent, Value: name, Attributes: attributes}
}

// NoEvent wants no event of the name; of any name where it is empty.
func NoEvent(name string) Condition {
	return Condition{Subject: SubjectEvent, Operator: Absent, Value: name}
}

// EventCount wants so many events.
func EventCount(n int) Condition {
	return Condition{Subject: SubjectEventCount, Value: strconv.Itoa(n)}
}
