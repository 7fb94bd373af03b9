// Package report writes the explanation of a trace as text of a few lines.
package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// MaxLines is the number of lines of a report, and MaxSummary of a summary.
const (
	MaxLines   = 15
	MaxSummary = 3
)

const (
	minRows = 3
	// negligible shares take less than this part of the total.
	negligible = 200
	// noName replaces the name of a span without one.
	noName = "(no name)"
)

// Lines returns a report of at most [MaxLines] lines: the total, the shares of the critical path,
// the chain of causes, and the counts. It escapes all texts of spans. A width cuts lines to that
// number of columns; 0 cuts none.
func Lines(e explain.Explanation, width int) []string {
	lines := []string{headline(e)}
	var after []string
	after = append(after, chain(e, width)...)
	for _, line := range []string{needed(e), beside(e), reconciles(e), writes(e.Counts)} {
		if line != "" {
			after = append(after, line)
		}
	}
	notes := notes(e)
	after = append(after, notes[:min(len(notes), MaxLines-minRows-1-len(after))]...)
	lines = append(lines, table(e, MaxLines-1-len(after))...)
	return cut(append(lines, after...), width)
}

// Summary returns the total, the largest shares, and the counts in [MaxSummary] lines.
func Summary(e explain.Explanation, width int) []string {
	var shares []string
	for _, s := range e.Shares() {
		if len(shares) == 3 || s.Duration < e.Total/100 {
			break
		}
		shares = append(shares, fmt.Sprintf("%s %s %s", percent(s.Duration, e.Total), actor(s), words(s)))
	}
	lines := []string{headline(e)}
	if len(shares) > 0 {
		lines = append(lines, strings.Join(shares, "; "))
	}
	return cut(append(lines, counts(e.Counts)), width)
}

// Line returns a summary in one line.
func Line(e explain.Explanation, width int) string {
	return format.Cut(strings.Join(Summary(e, 0), "; "), width)
}

// counts returns the counts in a line.
func counts(c spantree.Counts) string {
	parts := []string{}
	if n := c[spantree.CountReconciles]; n > 0 {
		parts = append(parts, fmt.Sprintf("%s (%d failed)", format.Count(n, "reconcile"), c[spantree.CountFailed]))
	}
	if n := c[spantree.CountWrites]; n > 0 {
		parts = append(parts, fmt.Sprintf("%s (%d unchanged, %s)", format.Count(n, "write"), c[spantree.CountUnchanged], format.Count(c[spantree.CountConflicts], "conflict")))
	}
	if n := c[spantree.CountObserved]; n > 0 {
		parts = append(parts, format.Count(n, "span")+" of observed controllers")
	}
	if len(parts) == 0 {
		parts = append(parts, format.Count(c[spantree.CountSpans], "span"))
	}
	return strings.Join(parts, ", ")
}

func cut(lines []string, width int) []string {
	for i, line := range lines {
		lines[i] = format.Cut(line, width)
	}
	return lines
}

// headline says what became ready, and when.
func headline(e explain.Explanation) string {
	total, object := format.Duration(e.Total), e.Object.String()
	if e.Total == 0 {
		total = "no time"
	}
	last := e.Chain[len(e.Chain)-1]
	switch name := cmp.Or(last.Name, noName); {
	case e.Condition != "":
		return format.Escape(fmt.Sprintf("%s: %s after %s", object, e.Condition, total))
	case e.Object == explain.Object{}:
		return format.Escape(fmt.Sprintf("%s until the end of %s", total, name))
	case last.Object == e.Object && e.Blocked == "":
		return format.Escape(fmt.Sprintf("%s: %s until the end of %s", object, total, name))
	case e.Blocked != "":
		return format.Escape(fmt.Sprintf("%s: not ready; last change after %s: %s (%s)", object, total, named(last.Span), e.Blocked))
	default:
		return format.Escape(fmt.Sprintf("%s: not ready; last change after %s: %s", object, total, named(last.Span)))
	}
}

// named returns the name of a span with the name of its object.
func named(s explain.Span) string {
	return strings.TrimSpace(cmp.Or(s.Name, noName) + " " + s.Object.Name)
}

// table returns a row for each share, and one for the smallest.
func table(e explain.Explanation, rows int) []string {
	shares := e.Shares()
	shown := min(rows, len(shares))
	for shown > 0 && shares[shown-1].Duration < e.Total/negligible {
		shown--
	}
	if shown < len(shares) && shown == rows || shown == len(shares)-1 && shown < rows {
		shown = min(len(shares), rows-1, shown+1)
	}
	columns := 0
	for _, s := range shares[:shown] {
		columns = max(columns, len([]rune(actor(s))))
	}
	var lines []string
	for _, s := range shares[:shown] {
		lines = append(lines, fmt.Sprintf("  %5s %8s  %-*s  %s", percent(s.Duration, e.Total), format.Duration(s.Duration), columns, actor(s), words(s)))
	}
	if hidden := shares[shown:]; len(hidden) > 0 {
		var others time.Duration
		for _, s := range hidden {
			others += s.Duration
		}
		lines = append(lines, fmt.Sprintf("  %5s %8s  %s", percent(others, e.Total), format.Duration(others), format.Count(len(hidden), "other")))
	}
	return lines
}

func percent(part, whole time.Duration) string {
	if whole <= 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(whole))
}

func actor(s explain.Share) string {
	if s.Actor == "" {
		return "?"
	}
	return format.Escape(s.Actor)
}

// words returns the reason of a share with its object and detail.
func words(s explain.Share) string {
	text, object, detail := s.Reason.String(), s.Object.String(), s.Detail
	switch s.Reason {
	case explain.ReasonWaiting:
		text = "waiting for " + object
	case explain.ReasonUnknown:
		if object != "" {
			detail = object + ", " + detail
		}
	case explain.ReasonRequeue:
		text += " of " + object
	case explain.ReasonWrite, explain.ReasonReaction, explain.ReasonRead:
		if detail != "" {
			detail += " " + s.Object.Name
		}
	}
	if s.Inferred {
		detail += " (inferred: it created the object)"
	}
	if detail != "" {
		text += ": " + detail
	}
	return format.Escape(strings.TrimSpace(text))
}

// needed says which of several objects was the last.
func needed(e explain.Explanation) string {
	if len(e.Inputs) < 2 {
		return ""
	}
	var names, slack []string
	for i, input := range e.Inputs {
		if names = append(names, input.Object.String()); i > 0 {
			slack = append(slack, input.Object.String()+" "+format.Duration(input.Slack))
		}
	}
	const most = 3
	if more := len(slack) - most; more > 0 {
		slack = append(slack[:most], fmt.Sprintf("%d more", more))
		names = append(names[:most+1], fmt.Sprintf("%d more", more))
	}
	last := len(names) - 1
	return format.Escape(fmt.Sprintf("%s needed %s and %s; %s was last (slack: %s)", e.Condition, strings.Join(names[:last], ", "), names[last], names[0], strings.Join(slack, ", ")))
}

// beside names the longest spans that are not on the path.
func beside(e explain.Explanation) string {
	if len(e.OffPath) == 0 {
		return ""
	}
	var spans []string
	for _, b := range e.OffPath[:min(3, len(e.OffPath))] {
		spans = append(spans, fmt.Sprintf("%s %s %s", b.Actor, b.Name, format.Duration(b.Duration)))
	}
	return "beside it   " + format.Escape(strings.Join(spans, ", "))
}

func reconciles(e explain.Explanation) string {
	total, useful, failed := e.Counts[spantree.CountReconciles], e.Counts[spantree.CountUseful], e.Counts[spantree.CountFailed]
	if total == 0 {
		return ""
	}
	text := fmt.Sprintf("reconciles  %d: %d useful, %d failed, %s", total, useful, failed, format.Count(max(0, total-useful-failed), "other"))
	var requeues []string
	for _, reason := range slices.Sorted(maps.Keys(e.Requeues)) {
		requeues = append(requeues, fmt.Sprintf("%d %s", e.Requeues[reason], format.Escape(reason)))
	}
	if len(requeues) > 0 {
		text += "; requeues: " + strings.Join(requeues, ", ")
	}
	return text
}

func writes(c spantree.Counts) string {
	var parts []string
	if n := c[spantree.CountWrites]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d: %d unchanged, %s, %d already existing", n, c[spantree.CountUnchanged], format.Count(c[spantree.CountConflicts], "conflict"), c[spantree.CountAlreadyExists]))
	}
	if n := c[spantree.CountObserved]; n > 0 {
		parts = append(parts, format.Count(n, "observed span"))
	}
	if n := c[spantree.CountReads]; n > 0 {
		parts = append(parts, format.Count(n, "read")+" with a span")
	}
	if len(parts) == 0 {
		return ""
	}
	return "writes      " + strings.Join(parts, "; ")
}

// notes say how accurate the report is, the most important note first.
func notes(e explain.Explanation) []string {
	var notes []string
	if e.Resolution != "" {
		notes = append(notes, "note: reconstructed; times have a resolution of "+format.Escape(e.Resolution))
	}
	if e.Unknown > 0 && !e.Observed {
		notes = append(notes, "note: no observer ran, so the time of other controllers is unknown; see docs/observing.md")
	}
	if e.Missing > 0 {
		notes = append(notes, fmt.Sprintf("note: %s with a missing parent", format.Count(e.Missing, "span")))
	}
	if e.Backwards > 0 {
		notes = append(notes, fmt.Sprintf("note: %s with an end before the start; the times are wrong", format.Count(e.Backwards, "span")))
	}
	if e.Cycles > 0 {
		notes = append(notes, fmt.Sprintf("note: %s of parents or links, cut at one span", format.Count(e.Cycles, "cycle")))
	}
	if e.Skew > time.Millisecond {
		notes = append(notes, "note: the clocks of the services differ by at least "+format.Duration(e.Skew))
	}
	return notes
}
