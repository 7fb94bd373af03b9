package spantree

import "slices"

// Tree is an expected forest: what [Parse] reads, [Record] makes of spans, and
// [Match] compares with.
type Tree struct {
	// Roots are the expected roots.
	Roots []*Expected
	// Open allows roots that no expectation accounts for.
	Open bool
	// Budget limits the counts of the whole forest.
	Budget Budget
}

// Expected is one line of an expected tree.
type Expected struct {
	Name   string
	Repeat Repeat
	// Kind is a Kind constant, or empty for any kind.
	Kind string
	// Service is empty where that of the line above it in the tree holds.
	Service string
	// Status is a Status constant or [StatusAny]; empty is anything but Error.
	Status string
	// Conditions must all hold.
	Conditions []Condition
	Children   []*Expected
	// Open allows children that no expectation accounts for.
	Open bool
	// Line is the number of the line in the text; 0 where there was none.
	Line int
}

// StatusAny accepts every status.
const StatusAny = "any"

// clone copies the tree as deep as it goes.
func (t *Tree) clone() *Tree {
	copied := *t
	copied.Roots = cloneLines(t.Roots)
	copied.Budget.Limits = slices.Clone(t.Budget.Limits)
	return &copied
}

func cloneLines(lines []*Expected) []*Expected {
	var copies []*Expected
	for _, e := range lines {
		c := *e
		c.Conditions = cloneConditions(e.Conditions)
		c.Children = cloneLines(e.Children)
		copies = append(copies, &c)
	}
	return copies
}

// walkLines calls visit for every line, parents first.
func walkLines(lines []*Expected, visit func(*Expected)) {
	for _, e := range lines {
		visit(e)
		walkLines(e.Children, visit)
	}
}
