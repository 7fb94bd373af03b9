package spantree

import (
	"strconv"
	"strings"
)

// The lines of the text format that are not spans.
const (
	openLine = "..."
)

// String returns the tree in the text format. Parsing the result returns an equal tree. Comments
// and unnecessary quotes are lost.
func (t *Tree) String() string {
	var b strings.Builder
	if line := t.Budget.String(); line != "" {
		b.WriteString(line + "\n")
	}
	printLines(&b, t.Roots, t.Open, 0)
	return b.String()
}

// printLines recurses up to the depth of the text, which the parser limits.
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

// quoteName returns the name of a span in the text format. It quotes the name if the parser would
// misread the bare name.
func quoteName(name string) string {
	plain := name != "" && name != openLine && !strings.HasPrefix(name, budgetLine) && name == strings.TrimSpace(name) && graphic(name) &&
		!strings.ContainsAny(name[:1], `?*+#"[{`) &&
		!strings.Contains(name, " [") && !strings.Contains(name, " #")
	if plain {
		return name
	}
	return strconv.Quote(name)
}

// operatorRunes are the characters of operators. They end a bare key, and a bare value does not
// start with them.
const operatorRunes = "=~!<>"

// quoteWord returns a value in brackets, quoted if necessary.
func quoteWord(word string) string {
	plain := word != "" && graphic(word) && !strings.ContainsAny(word, " \"]=") &&
		!strings.ContainsAny(word[:1], operatorRunes+"[")
	if plain {
		return word
	}
	return strconv.Quote(word)
}

// quoteInner returns a value in parentheses, quoted if necessary.
func quoteInner(word string) string {
	if strings.ContainsAny(word, "()") {
		return strconv.Quote(word)
	}
	return quoteWord(word)
}

// quoteKey returns the key of an attribute, quoted if necessary.
func quoteKey(key string) string {
	if reservedWord(key) || strings.ContainsAny(key, operatorRunes) {
		return strconv.Quote(key)
	}
	return quoteInner(key)
}

// graphic reports whether the text is one line of valid, printable characters without white space
// except spaces.
func graphic(s string) bool {
	for _, r := range s {
		if !strconv.IsPrint(r) || r == '\uFFFD' {
			return false
		}
	}
	return true
}
