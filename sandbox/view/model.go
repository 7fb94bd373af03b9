package view

import (
	"cmp"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Waterfall is a trace as it is drawn: a row for each span, all on one axis of time. It doesn't change, and may be used by
// several goroutines at a time.
type Waterfall struct {
	// TraceID is in hexadecimal digits; empty where there is no span. It is the first root's: other traces may continue that one.
	TraceID string
	// Begin is when the first span started, the axis' zero.
	Begin time.Time
	// Total is the axis' length, from Begin to the end of the last span; at least a nanosecond.
	Total time.Duration
	// Rows are the spans, parents first and siblings by their start.
	Rows []Row

	options Options
}

// Row is one span's. Its texts are escaped by [Escape].
type Row struct {
	Name, Kind, Service string
	// Labels are the values of the attributes that [Options] asks for.
	Labels []string
	// Depth is 0 for a root.
	Depth int
	// Parent is the index of the parent's row, or -1.
	Parent int
	// Guides are the lines that join the row to its parent's, below those that pass it; Below is what the text under the row
	// starts with.
	Guides, Below string
	// Last tells that no sibling follows.
	Last bool
	// Offset is the time from the first span's start, and Duration what the span took, at least 0: clocks may be set back.
	Offset, Duration time.Duration
	// Failed: its status is Error, or its place in the tree is wrong. Notes say what, in a few words each.
	Failed bool
	Notes  []string
	// Trace is the id of the span's trace if that is not the trace of its parent; empty otherwise. Another process continued there.
	Trace string

	traceID, spanID string
	// failure is the note about the status; empty where that is no Error.
	failure string
}

// Options say what a [Waterfall] shows beside the spans. The zero value adds nothing.
type Options struct {
	// Labels are keys of attributes whose values stand behind the names of the spans that have them, in this order.
	Labels []string
}

// maxDepth bounds the indentation: below it the rows no longer go deeper, which would take space quadratic in the length of a
// chain of spans.
const maxDepth = 50

// New lays out a trace. A nil forest, and one without spans, has no rows.
func New(forest *spantree.Forest, options Options) *Waterfall {
	w := &Waterfall{Total: 1, options: options}
	var last time.Time
	forest.Walk(func(n *spantree.Node, _ int) bool {
		if w.TraceID == "" || n.Span.Start.Before(w.Begin) {
			w.Begin = n.Span.Start
		}
		w.TraceID = cmp.Or(w.TraceID, n.Span.TraceID)
		for _, moment := range []time.Time{n.Span.Start, n.Span.End} {
			if moment.After(last) {
				last = moment
			}
		}
		return true
	})
	w.Total = max(w.Total, last.Sub(w.Begin))
	isLast := lastChildren(forest)
	// Of each depth on the way to the row: the index of its row, and what the rows below start with.
	var path []int
	below := []string{""}
	forest.Walk(func(n *spantree.Node, depth int) bool {
		row := newRow(n, options)
		row.Depth, row.Parent, row.Last = depth, -1, isLast[n]
		row.Offset = n.Span.Start.Sub(w.Begin)
		if depth > 0 {
			row.Parent = path[depth-1]
			if w.Rows[row.Parent].traceID != row.traceID {
				row.Trace = Escape(row.traceID)
			}
		}
		shown := min(depth, maxDepth)
		under := ""
		if shown > 0 {
			row.Guides, under = below[shown-1]+"├─ ", below[shown-1]+"│  "
			if row.Last {
				row.Guides, under = below[shown-1]+"└─ ", below[shown-1]+"   "
			}
		}
		row.Below = under + "   "
		if len(n.Children) > 0 && shown < maxDepth {
			row.Below = under + "│  "
		}
		path, below = append(path[:depth], len(w.Rows)), append(below[:shown], under)
		w.Rows = append(w.Rows, row)
		return true
	})
	return w
}

// newRow is what a row tells of its span alone.
func newRow(n *spantree.Node, options Options) Row {
	row := Row{
		Name: shownName(n.Span.Name), Kind: Escape(n.Span.Kind), Service: Escape(n.Span.Service), traceID: n.Span.TraceID, spanID: n.Span.SpanID,
		Duration: max(0, n.Span.Duration()),
		Failed:   n.Span.Code() == spantree.StatusError || n.Defect != "",
	}
	for _, key := range options.Labels {
		if value, found := n.Span.Attributes[key]; found {
			row.Labels = append(row.Labels, Escape(spantree.FormatValue(value)))
		}
	}
	if n.Span.Code() == spantree.StatusError {
		row.failure = "error"
		if n.Span.Status.Message != "" {
			row.failure += ": " + Escape(n.Span.Status.Message)
		}
		row.Notes = append(row.Notes, row.failure)
	}
	switch n.Defect {
	case "":
	case spantree.DefectOrphan:
		row.Notes = append(row.Notes, "parent "+Escape(n.Span.ParentSpanID)+" is missing")
	default:
		row.Notes = append(row.Notes, string(n.Defect))
	}
	return row
}

// continued says in which trace the row and the rows below it are, if that is not the trace of the parent.
func (r Row) continued() string {
	if r.Trace == "" {
		return ""
	}
	return "continued in trace " + r.Trace
}

// shownName is a span's name escaped, and never nothing: it is what a row is told by.
func shownName(name string) string {
	if name = Escape(name); strings.Trim(name, " ") != "" {
		return name
	}
	return "(no name)"
}

// lastChildren marks the last child of every node.
func lastChildren(forest *spantree.Forest) map[*spantree.Node]bool {
	last := map[*spantree.Node]bool{}
	forest.Walk(func(n *spantree.Node, _ int) bool {
		if count := len(n.Children); count > 0 {
			last[n.Children[count-1]] = true
		}
		return true
	})
	return last
}

// Span is the row's part of the axis, from 0 to 1.
func (w *Waterfall) Span(row Row) (from, to float64) {
	from = float64(row.Offset) / float64(w.Total)
	return from, from + float64(row.Duration)/float64(w.Total)
}

// Failed counts the rows that failed.
func (w *Waterfall) Failed() int {
	count := 0
	for _, row := range w.Rows {
		if row.Failed {
			count++
		}
	}
	return count
}

// Ticks are round times on the axis, zero first, in at most the given number of equal steps; at least one is assumed.
func (w *Waterfall) Ticks(steps int) []time.Duration {
	count := time.Duration(max(1, steps))
	step := roundStep((w.Total-1)/count + 1)
	ticks := []time.Duration{0}
	for at := step; at <= w.Total && at > 0; at += step {
		ticks = append(ticks, at)
	}
	return ticks
}

// roundStep is the next round time that is no shorter: 1, 2 or 5 of a decimal unit, and the like of minutes and hours.
func roundStep(atLeast time.Duration) time.Duration {
	for unit := time.Duration(1); unit < 10*time.Second; unit *= 10 {
		for _, factor := range []time.Duration{1, 2, 5} {
			if step := unit * factor; step >= atLeast {
				return step
			}
		}
	}
	for _, seconds := range []time.Duration{10, 15, 30, 60, 2 * 60, 5 * 60, 10 * 60, 30 * 60, 3600, 2 * 3600, 6 * 3600, 12 * 3600} {
		if step := seconds * time.Second; step >= atLeast {
			return step
		}
	}
	const day = 24 * time.Hour
	return ((atLeast-1)/day + 1) * day
}
