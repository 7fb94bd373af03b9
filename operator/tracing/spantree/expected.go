package spantree

import (
	"regexp"
	"strconv"
	"strings"
)

// Repeat says how many spans one line of an expected tree stands for. Its value
// is the mark before the name.
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

// Tree is an expected forest: what [Parse] reads and [Match] compares with.
type Tree struct {
	// Roots are the expected roots.
	Roots []*Expected
	// Open allows roots that no expectation accounts for.
	Open bool
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
	Status     string
	Conditions []Condition
	Children   []*Expected
	// Open allows children that no expectation accounts for.
	Open bool
	// Line is the number of the line in the text; 0 where there was none.
	Line int
}

// StatusAny accepts every status.
const StatusAny = "any"

// Operator is how a [Condition] compares.
type Operator int

// The operators of conditions on attributes.
const (
	// Equals compares the whole value.
	Equals Operator = iota
	// Matches wants a regular expression to match the whole value.
	Matches
	// Present accepts any value.
	Present
	// Absent wants the attribute not to be there.
	Absent
)

// Condition is a condition on one attribute.
type Condition struct {
	Key      string
	Operator Operator
	// Value is the value, or the regular expression as it was written; empty
	// for Present and Absent.
	Value string
	// pattern is the compiled, anchored expression of a Matches condition.
	pattern *regexp.Regexp
}

// String prints the tree in the text format. Parsing the result gives an equal
// tree; comments and quotes that aren't needed are gone.
func (t *Tree) String() string {
	var b strings.Builder
	printExpected(&b, t.Roots, t.Open, 0)
	return b.String()
}

// printExpected recurses as deep as the text was indented, which the parser
// bounds.
func printExpected(b *strings.Builder, nodes []*Expected, open bool, depth int) {
	indent := strings.Repeat(indentation, depth)
	for _, e := range nodes {
		b.WriteString(indent + e.String() + "\n")
		printExpected(b, e.Children, e.Open, depth+1)
	}
	if open {
		b.WriteString(indent + "...\n")
	}
}

// String prints the line of the node without indentation and children.
func (e *Expected) String() string {
	var b strings.Builder
	if e.Repeat != Once {
		b.WriteString(string(e.Repeat) + " ")
	}
	b.WriteString(quoteName(e.Name))
	var conditions []string
	if e.Kind != "" {
		conditions = append(conditions, e.Kind)
	}
	if e.Service != "" {
		conditions = append(conditions, "service="+quoteWord(e.Service))
	}
	if e.Status != "" {
		conditions = append(conditions, "status="+e.Status)
	}
	for _, c := range e.Conditions {
		conditions = append(conditions, c.String())
	}
	if len(conditions) > 0 {
		b.WriteString(" [" + strings.Join(conditions, " ") + "]")
	}
	return b.String()
}

// String prints the condition in the text format.
func (c Condition) String() string {
	key := quoteWord(c.Key)
	if reservedWord(c.Key) {
		key = strconv.Quote(c.Key)
	}
	switch c.Operator {
	case Present:
		return key
	case Absent:
		return "!" + key
	case Matches:
		return key + "=~" + quoteWord(c.Value)
	default:
		return key + "=" + quoteWord(c.Value)
	}
}

// reservedWord reports whether a bare key means something other than an
// attribute.
func reservedWord(word string) bool {
	switch word {
	case "service", "status", "duration", "link", "links", "event", "events":
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

// quoteName gives a span's name as it may stand in a line: bare, or quoted
// where a bare one would be read as something else.
func quoteName(name string) string {
	plain := name != "" && name != "..." && name == strings.TrimSpace(name) && graphic(name) &&
		!strings.ContainsAny(name[:1], `?*+#"[`) &&
		!strings.Contains(name, " [") && !strings.Contains(name, " #")
	if plain {
		return name
	}
	return strconv.Quote(name)
}

// quoteWord does the same for keys and values inside brackets.
func quoteWord(word string) string {
	plain := word != "" && graphic(word) && !strings.ContainsAny(word, " \"]=") &&
		!strings.ContainsAny(word[:1], "!~[")
	if plain {
		return word
	}
	return strconv.Quote(word)
}

// graphic reports whether the text is one line of valid, printable characters
// with no blank but the space.
func graphic(s string) bool {
	for _, r := range s {
		if !strconv.IsPrint(r) || r == '\uFFFD' {
			return false
		}
	}
	return true
}
