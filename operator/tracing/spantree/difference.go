package spantree

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// DifferenceType is what is wrong with a span or a line.
type DifferenceType string

// The types of differences.
const (
	// Missing: no span stands for the line.
	Missing DifferenceType = "missing"
	// Extra: no line accounts for the span.
	Extra DifferenceType = "extra"
	// Moved: the span that the line expects has another parent.
	Moved DifferenceType = "moved"
	// OverBudget: a limit of the budget does not hold.
	OverBudget DifferenceType = "over budget"
	// Differing: the span is in its place, but a condition fails.
	Differing DifferenceType = "different"
)

// mark is the sign of the type in an explanation.
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

// Difference is one thing that is wrong.
type Difference struct {
	Type DifferenceType
	// Want is the line; nil for Extra and OverBudget.
	Want *Expected
	// Got is the span; nil for Missing and OverBudget.
	Got *Node
	// Details say where it was expected and found, and which conditions fail.
	Details []string
}

// String gives the difference in one line.
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

// sortDifferences puts the closest matches first.
func sortDifferences(differences []Difference) {
	rank := map[DifferenceType]int{Differing: 0, Moved: 1, Missing: 2, Extra: 3}
	slices.SortStableFunc(differences, func(a, b Difference) int {
		if a.Type == b.Type && a.Want != nil && a.Got != nil {
			return cmp.Compare(len(a.Details), len(b.Details))
		}
		return cmp.Compare(rank[a.Type], rank[b.Type])
	})
}
