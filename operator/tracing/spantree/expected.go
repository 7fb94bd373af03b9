package spantree

import "slices"

// Tree is an expected forest. [Parse] reads it, [Record] makes it from spans, and [Match] compares
// a forest with it.
type Tree struct {
	// Roots are the expected roots.
	Roots []*Expected
	// Open allows roots without a line.
	Open bool
	// Budget limits the counts of the whole forest.
	Budget Budget
}

// Expected is one line of an expected tree.
type Expected struct {
	Name   string
	Repeat Repeat
	// Kind is one of the Kind constants, or empty for any kind.
	Kind string
	// Service is empty if the service of the parent line applies.
	Service string
	// Status is one of the Status constants or [StatusAny]. If it is empty, any status except Error
	// is accepted.
	Status string
	// Conditions must all hold.
	Conditions []Condition
	Children   []*Expected
	// Open allows children without a line.
	Open bool
	// Line is the number of the line in the text, or 0 without a text.
	Line int
}

// StatusAny accepts every status.
const StatusAny = "any"

// clone returns a deep copy of the tree.
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
