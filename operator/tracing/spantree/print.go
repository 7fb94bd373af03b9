package spantree

import (
	"strconv"
	"strings"
)

// The lines of the text format that are no spans.
const (
	openLine = "..."
)

// String prints the tree in the text format. Parsing the result gives an equal
// tree; comments and quotes that aren't needed are gone.
func (t *Tree) String() string {
	var b strings.Builder
	if line := t.Budget.String(); line != "" {
		b.WriteString(line + "\n")
	}
	printLines(&b, t.Roots, t.Open, 0)
	return b.String()
}

// printLines recurses as deep as the text was indented, which the parser
// bounds.
func printLines(b *strings.Builder, lines []*Expected, open bool, depth int) {
	indent := strings.Repeat(indentation, depth)
	for _, e := range lines {
		b.WriteString(indent + e.String() + "\n")
		printLines(b, e.Children, e.Open, depth+1)
	}
	if open {
		b.WriteString(indent + openLine + "\n")
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

// quoteName gives a span's name as it may stand in a line: bare, or quoted
// where a bare one would be read as something else.
func quoteName(name string) string {
	plain := name != "" && name != openLine && !strings.HasPrefix(name, budgetLine) && name == strings.TrimSpace(name) && graphic(name) &&
		!strings.ContainsAny(name[:1], `?*+#"[{`) &&
		!strings.Contains(name, " [") && !strings.Contains(name, " #")
	if plain {
		return name
	}
	return strconv.Quote(name)
}

// operatorRunes are what operators are made of: a bare key ends before the first,
// and a bare value starts with none.
const operatorRunes = "=~!<>"

// quoteWord does the same for values inside brackets.
func quoteWord(word string) string {
	plain := word != "" && graphic(word) && !strings.ContainsAny(word, " \"]=") &&
		!strings.ContainsAny(word[:1], operatorRunes+"[")
	if plain {
		return word
	}
	return strconv.Quote(word)
}

// quoteInner does it where a parenthesis ends a value too.
func quoteInner(word string) string {
	if strings.ContainsAny(word, "()") {
		return strconv.Quote(word)
	}
	return quoteWord(word)
}

// quoteKey does it for the keys of attributes.
func quoteKey(key string) string {
	if reservedWord(key) || strings.ContainsAny(key, operatorRunes) {
		return strconv.Quote(key)
	}
	return quoteInner(key)
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
