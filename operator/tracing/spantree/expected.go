package spantree

// Repeat says how many spans one line of an expected tree stands for. Its value
// is the mark before the name. It is an [Option] of [Expect].
type Repeat string

// The marks of the text format. Several spans of one line are siblings.
const (
	Once       Repeat = ""
	Optional   Repeat = "?"
	AnyNumber  Repeat = "*"
	OnceOrMore Repeat = "+"
)

// required reports whether at least one span must be there.
func (r Repeat) required() bool { return r == Once || r == OnceOrMore }

// unbounded reports whether more than one span may be there.
func (r Repeat) unbounded() bool { return r == AnyNumber || r == OnceOrMore }

// repeatOf is the mark with the given bounds.
func repeatOf(required, unbounded bool) Repeat {
	switch {
	case required && unbounded:
		return OnceOrMore
	case required:
		return Once
	case unbounded:
		return AnyNumber
	}
	return Optional
}

// Tree is an expected forest: what [Parse] reads, [NewTree] makes of Go values,
// [Record] makes of spans, and [Match] compares with.
type Tree struct {
	// Roots are the expected roots.
	Roots []*Expected
	// Open allows roots that no expectation accounts for.
	Open bool
	// Ordered wants the roots to start in the order of their lines.
	Ordered bool
}

// Expected is one line of an expected tree.
type Expected struct {
	Name   string
	Repeat Repeat
	// Kind is a Kind constant, or empty for any kind.
	Kind string
	// Label names the line for the links of other lines; empty for none.
	Label string
	// Service is empty where that of the line above it in the tree holds.
	Service string
	// Status is a Status constant or [StatusAny]; empty is anything but Error.
	Status string
	// Conditions must all hold.
	Conditions []Condition
	Children   []*Expected
	// Open allows children that no expectation accounts for.
	Open bool
	// Ordered wants the children to start in the order of their lines.
	Ordered bool
	// Line is the number of the line in the text; 0 where there was none.
	Line int
}

// StatusAny accepts every status.
const StatusAny = "any"

// clone copies the tree as deep as it goes.
func (t *Tree) clone() *Tree {
	copied := *t
	copied.Roots = cloneLines(t.Roots)
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
