// Package near finds, among names that exist, those that somebody who typed another one may have meant. [Names] is its entry;
// the commands call it for their errors. It never decides for the user.
package near

import (
	"slices"
	"strings"
)

// most is how many names are suggested at most.
const most = 3

// Names returns the known names that are like name, the likest first, at most three: those that differ by few typing errors,
// begin with it or contain it. Letters' case does not count.
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

// Hint is ", did you mean …?" with what Names finds, or "".
func Hint(name string, known []string) string {
	names := Names(name, known)
	if len(names) == 0 {
		return ""
	}
	return " (did you mean " + strings.Join(names, " or ") + "?)"
}

// distance is how many letters must be put in, left out, replaced or exchanged with the next to make b of a (optimal string
// alignment).
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
