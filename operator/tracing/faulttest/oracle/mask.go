package oracle

import (
	"regexp"
	"slices"
	"strings"
)

// Mask is the set of fields that are not compared, because they differ between clean runs or the
// caller ignores them. A few fields of the metadata, times, and the UIDs and names that the API
// server generates are never compared, and are not listed here.
type Mask struct {
	patterns []string
	compiled []*regexp.Regexp
}

// add adds a pattern OBJECT:PATH, in which "*" stands for any text.
func (m *Mask) add(pattern string) {
	if slices.Contains(m.patterns, pattern) {
		return
	}
	m.patterns = append(m.patterns, pattern)
	text := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`)
	m.compiled = append(m.compiled, regexp.MustCompile(`^(?:`+text+`)(?:[.[].*)?$`))
}

// hides reports whether the mask contains a field, or a field that contains it. A nil Mask is empty.
func (m *Mask) hides(name, path string) bool {
	if m == nil {
		return false
	}
	field := name + ":" + path
	return slices.ContainsFunc(m.compiled, func(r *regexp.Regexp) bool { return r.MatchString(field) })
}

// String lists the patterns, one a line.
func (m Mask) String() string {
	sorted := slices.Sorted(slices.Values(m.patterns))
	return strings.Join(sorted, "\n")
}

// Patterns returns the patterns OBJECT:PATH in a stable order.
func (m Mask) Patterns() []string { return slices.Sorted(slices.Values(m.patterns)) }
