package spantree

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CountDuration is the count of [Limit] for the time from the first start to the last end of a
// span, in nanoseconds. [Counts] does not contain it.
const CountDuration Count = "duration"

// Budget limits the counts of a forest. It is a line of an expected tree, or a value of its own.
// The zero value limits nothing.
type Budget struct {
	// Service selects the spans that count. If it is empty, all spans count.
	Service string
	Limits  []Limit
}

// Limit is a limit of one count.
type Limit struct {
	Count Count
	// Operator compares numbers: Equals, Below, AtMost, Above or AtLeast.
	Operator Operator
	// Value is a number, or nanoseconds for [CountDuration].
	Value int
}

// String returns the limit in the text format, for example writes<=6.
func (l Limit) String() string {
	return string(l.Count) + operatorSigns[l.Operator] + l.value(l.Value)
}

func (l Limit) value(n int) string {
	if l.Count == CountDuration {
		return time.Duration(n).String()
	}
	return strconv.Itoa(n)
}

// Excess is a limit that is not met.
type Excess struct {
	Limit Limit
	// Got is the actual value, in the unit of the limit.
	Got int
}

// String describes the excess, for example "writes is 7, want writes<=6".
func (e Excess) String() string {
	return fmt.Sprintf("%s is %s, want %s", e.Limit.Count, e.Limit.value(e.Got), e.Limit)
}

// ParseBudget parses limits and an optional service, separated by spaces, for example
// "service=demo writes<=6 unchanged=0 duration<30s". The errors are of type *[ParseError]; file and
// line are their position.
func ParseBudget(file string, line int, text string) (Budget, error) {
	p := &lineParser{file: file, line: line, text: text + ")"}
	return p.budget()
}

// Check returns the limits of the budget that a forest does not meet, in the order of the budget. A
// nil forest has no spans.
func (b Budget) Check(got *Forest) []Excess {
	if len(b.Limits) == 0 {
		return nil
	}
	counts := got.Counts(b.Service)
	var exceeded []Excess
	for _, l := range b.Limits {
		n := counts[l.Count]
		if l.Count == CountDuration {
			n = int(got.span(b.Service))
		}
		if !compares(l.Operator, cmp.Compare(n, l.Value)) {
			exceeded = append(exceeded, Excess{l, n})
		}
	}
	return exceeded
}

// span returns the time from the first start to the last end of a span.
func (f *Forest) span(service string) time.Duration {
	var start, end time.Time
	f.Walk(func(n *Node, _ int) bool {
		if service != "" && n.Span.Service != service {
			return true
		}
		if start.IsZero() || n.Span.Start.Before(start) {
			start = n.Span.Start
		}
		if n.Span.End.After(end) {
			end = n.Span.End
		}
		return true
	})
	return max(0, end.Sub(start))
}

// budgetLine is the start of the line of a budget.
const budgetLine = "(budget"

// String returns the line of the budget, or the empty string for the zero value.
func (b Budget) String() string {
	if len(b.Limits) == 0 {
		return ""
	}
	text := budgetLine
	if b.Service != "" {
		text += " service=" + quoteInner(b.Service)
	}
	for _, l := range b.Limits {
		text += " " + l.String()
	}
	return text + ")"
}

// budget reads the limits up to the closing parenthesis.
func (p *lineParser) budget() (b Budget, err error) {
	err = p.list(")", func() error {
		k, err := p.key(innerStops)
		if err != nil {
			return err
		}
		if k.name == "service" && k.sign == "=" && !k.absent && b.Service == "" {
			b.Service, err = p.word("value", innerStops)
			return err
		}
		l, err := p.limit(k)
		b.Limits = append(b.Limits, l)
		return err
	})
	if err == nil && len(b.Limits) == 0 {
		err = p.errorf("a budget without a limit, as in (budget writes<=6)")
	}
	return b, err
}

func (p *lineParser) limit(k key) (l Limit, err error) {
	l.Count = Count(k.name)
	if l.Count != CountDuration && !slices.Contains(allCounts, l.Count) {
		return l, p.errorAt(k.start, "unknown count %q; counts are service=NAME, %s", k.name, strings.Join(countNames(), ", "))
	}
	if k.sign == "" {
		return l, p.errorAt(k.start, "%s needs a limit, as in %s<=6", k.name, k.name)
	}
	if l.Operator, err = p.operator(k, Equals, Below, AtMost, Above, AtLeast); err != nil {
		return l, err
	}
	value, err := p.word("value", innerStops)
	if err != nil {
		return l, err
	}
	if l.Count == CountDuration {
		d, err := time.ParseDuration(value)
		if l.Value = int(d); err != nil || d < 0 {
			return l, p.errorAt(k.start, "invalid duration %q; write it as 10ms, 1.5s or 2m30s", value)
		}
		return l, nil
	}
	if l.Value, err = strconv.Atoi(value); err != nil || l.Value < 0 {
		return l, p.errorAt(k.start, "invalid number %q of %s; use an integer >= 0", value, k.name)
	}
	return l, nil
}

func countNames() []string {
	names := []string{string(CountDuration)}
	for _, c := range allCounts {
		names = append(names, string(c))
	}
	return names
}
