package spantree

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// DifferenceType is the type of a difference of a span or a line.
type DifferenceType string

// The types of differences.
const (
	// Missing: the line has no span.
	Missing DifferenceType = "missing"
	// Extra: the span has no line.
	Extra DifferenceType = "extra"
	// Moved: the expected span has another parent.
	Moved DifferenceType = "moved"
	// OverBudget: a limit of the budget is not met.
	OverBudget DifferenceType = "over budget"
	// Differing: the span has the expected position, but does not meet a condition.
	Differing DifferenceType = "different"
)

// mark returns the sign of the type in an explanation.
func (t DifferenceType) mark() string {
	switch t {
	case Missing:
		return "-"
	case Extra:
		return "+"
	case Moved:
		return ">"
	case Differing:
		return "~"
	case OverBudget:
		return "!"
	}
	return " "
}

// Difference is a difference between the expected tree and the forest.
type Difference struct {
	Type DifferenceType
	// Want is the line. It is nil for Extra and OverBudget.
	Want *Expected
	// Got is the span. It is nil for Missing and OverBudget.
	Got *Node
	// Details describe the expected and the actual position, and the conditions that are not met.
	Details []string
}

// String returns the difference in one line.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s: %s", d.Type, d.what(), strings.Join(d.Details, "; "))
}

func (d Difference) what() string {
	what := "the forest"
	switch {
	case d.Want != nil && d.Want.Line > 0:
		what = fmt.Sprintf("%s (line %d)", d.Want, d.Want.Line)
	case d.Want != nil:
		what = d.Want.String()
	case d.Got != nil:
		what = quoteName(d.Got.Span.Name)
	}
	if d.Got != nil {
		what += " span " + d.Got.Span.SpanID
	}
	return what
}

// sortDifferences sorts the differences, closest matches first.
func sortDifferences(differences []Difference) {
	rank := map[DifferenceType]int{Differing: 0, Moved: 1, Missing: 2, Extra: 3}
	slices.SortStableFunc(differences, func(a, b Difference) int {
		if a.Type == b.Type && a.Want != nil && a.Got != nil {
			return cmp.Compare(len(a.Details), len(b.Details))
		}
		return cmp.Compare(rank[a.Type], rank[b.Type])
	})
}
