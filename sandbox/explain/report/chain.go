package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

const (
	maxChain  = 3 // lines
	maxSteps  = 50
	chainCols = 120 // of a line without a width
)

// chain returns the spans that caused each other, with the time of their ends. It omits the middle
// of a chain that is too long.
func chain(e explain.Explanation, width int) []string {
	const label, indent = "chain       ", "            "
	if width <= 0 {
		width = chainCols
	}
	steps := chainSteps(e.Chain)
	for omitted := max(0, len(steps)-maxSteps); ; omitted++ {
		shown := steps
		if omitted > 0 {
			at := (len(steps) - omitted) / 2
			shown = slices.Concat(steps[:at], []string{fmt.Sprintf("… %d more", omitted)}, steps[at+omitted:])
		}
		lines := []string{label + shown[0]}
		for _, step := range shown[1:] {
			last := &lines[len(lines)-1]
			if joined := *last + " → " + step; len([]rune(joined)) <= width {
				*last = joined
				continue
			}
			lines = append(lines, indent+"→ "+step)
		}
		if len(lines) <= maxChain || omitted >= len(steps)-2 {
			return lines[:min(len(lines), maxChain)]
		}
	}
}

// chainSteps returns the writes of a chain, and the reconciles that others asked for. Several in
// sequence with one name are one step.
func chainSteps(all []explain.Step) []string {
	type group struct {
		name  string
		count int
		end   time.Duration
	}
	var groups []group
	for i, s := range all {
		inner := i+1 < len(all) && strings.HasPrefix(s.Name, "reconcile") && !strings.HasPrefix(all[i+1].Name, "reconcile")
		if inner || strings.HasPrefix(s.Name, "admit ") && i > 0 {
			continue
		}
		if last := len(groups) - 1; last >= 0 && groups[last].name == s.Name {
			groups[last].count++
			groups[last].end = s.End
			continue
		}
		groups = append(groups, group{s.Name, 1, s.End})
	}
	var steps []string
	for _, g := range groups {
		text := format.Escape(cmp.Or(g.name, noName))
		if g.count > 1 {
			text += fmt.Sprintf(" ×%d", g.count)
		}
		steps = append(steps, text+" +"+format.Duration(g.end.Truncate(time.Microsecond)))
	}
	return steps
}
