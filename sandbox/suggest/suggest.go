// Package suggest suggests existing names for a misspelled name. The commands use [Hint] in their
// errors.
package suggest

import (
	"slices"
	"strings"
)

// most is the maximum number of suggestions.
const most = 3

// Names returns up to three known names that are similar to name, most similar first. A name is
// similar if it differs by few typing errors, starts with name or contains it. Names ignores case.
func Names(name string, known []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	wanted := strings.ToLower(name)
	allowed := max(1, len([]rune(wanted))/3)
	for _, k := range known {
		lower := strings.ToLower(k)
		d := distance(wanted, lower)
		switch {
		case d <= allowed:
		case wanted != "" && strings.HasPrefix(lower, wanted):
			d = allowed + 1
		case len(wanted) > 2 && strings.Contains(lower, wanted):
			d = allowed + 2
		default:
			continue
		}
		found = append(found, candidate{k, d})
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	var names []string
	for _, c := range found[:min(most, len(found))] {
		names = append(names, c.name)
	}
	return names
}

// Hint returns " (did you mean …?)" with the results of [Names], or "" if there are none.
func Hint(name string, known []string) string {
	names := Names(name, known)
	if len(names) == 0 {
		return ""
	}
	return " (did you mean " + strings.Join(names, " or ") + "?)"
}

// distance returns the number of insertions, deletions, substitutions and transpositions of
// adjacent letters that change a into b (optimal string alignment distance).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last := make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		now := make([]int, len(y)+1)
		now[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			now[j] = min(now[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last = last, now
	}
	return last[len(y)]
}
