package spantree

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// variable matches a dollar sign with a name, a name in braces, or another dollar sign.
var variable = regexp.MustCompile(`\$(?:\$|[A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})`)

// Fill returns a copy of the tree with values instead of variables, $NAME or ${NAME}, in names,
// services and the values of conditions. In a regular expression, a value is quoted. $$ is a dollar
// sign. Fill keeps any other dollar sign. The error lists the variables without a value, by line.
func (t *Tree) Fill(values map[string]string) (*Tree, error) {
	f := filler{values: values}
	filled := t.clone()
	walkLines(filled.Roots, func(e *Expected) {
		f.line = e.Line
		f.fill(&e.Name, false)
		f.fill(&e.Service, false)
		f.conditions(e.Conditions)
	})
	f.line = 0
	f.fill(&filled.Budget.Service, false)
	return filled, errors.Join(f.problems...)
}

type filler struct {
	values   map[string]string
	line     int
	problems []error
}

func (f *filler) conditions(conditions []Condition) {
	for i := range conditions {
		c := &conditions[i]
		f.fill(&c.Value, c.Operator == Matches)
		f.conditions(c.Attributes)
	}
}

func (f *filler) fill(text *string, expression bool) {
	if !strings.Contains(*text, "$") {
		return
	}
	*text = variable.ReplaceAllStringFunc(*text, func(found string) string {
		name := strings.Trim(found[1:], "{}")
		if name == "$" {
			return "$"
		}
		value, known := f.values[name]
		if !known {
			f.problems = append(f.problems, fmt.Errorf("line %d: no value for the variable $%s", f.line, name))
		}
		if expression {
			return regexp.QuoteMeta(value)
		}
		return value
	})
}

// unfiller does the opposite of Fill: it replaces values in text with variables.
type unfiller struct {
	// names are the variables with a value, longest value first, so that the most specific value is
	// found first.
	names  []string
	values map[string]string
}

func newUnfiller(values map[string]string) unfiller {
	u := unfiller{values: values}
	for name, value := range values {
		if value != "" {
			u.names = append(u.names, name)
		}
	}
	slices.SortFunc(u.names, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(values[b]), len(values[a])), cmp.Compare(a, b))
	})
	return u
}

// text replaces values that are whole words with variables, and doubles other dollar signs. Fill
// returns the original text.
func (u unfiller) text(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		name := u.at(text, i)
		if name == "" {
			if text[i] == '$' {
				b.WriteByte('$')
			}
			b.WriteByte(text[i])
			i++
			continue
		}
		i += len(u.values[name])
		if i < len(text) && text[i] == '_' {
			name = "{" + name + "}"
		}
		b.WriteString("$" + name)
	}
	return b.String()
}

// at returns the variable whose value is at an index, or the empty string.
func (u unfiller) at(text string, i int) string {
	before, _ := utf8.DecodeLastRuneInString(text[:i])
	for _, name := range u.names {
		value := u.values[name]
		if !strings.HasPrefix(text[i:], value) {
			continue
		}
		after, _ := utf8.DecodeRuneInString(text[i+len(value):])
		first, _ := utf8.DecodeRuneInString(value)
		last, _ := utf8.DecodeLastRuneInString(value)
		if !(wordRune(before) && wordRune(first)) && !(wordRune(last) && wordRune(after)) {
			return name
		}
	}
	return ""
}

func wordRune(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
