package view

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Waterfall is a trace laid out for drawing: a row for each span, all on one time axis. It is
// immutable and safe for concurrent use.
type Waterfall struct {
	// TraceID is the trace id of the first root, in hexadecimal digits; empty if there are no
	// spans. Rows can belong to other traces that continue this one.
	TraceID string
	// Begin is the start of the earliest span, and the zero of the axis.
	Begin time.Time
	// Total is the length of the axis, from Begin to the end of the last span; at least one
	// nanosecond.
	Total time.Duration
	// Rows are the spans, parents before children and siblings ordered by start.
	Rows []Row

	labels   []string
	services int // the number of services
	why      []string
}

// WithPath returns a copy with the critical path of the trace: on reports whether a span is on it, and
// the lines of why explain it. Pages and pictures mark the spans, and pages show the lines.
func (w *Waterfall) WithPath(why []string, on func(traceID, spanID string) bool) *Waterfall {
	marked := *w
	marked.why, marked.Rows = why, slices.Clone(w.Rows)
	for i := range marked.Rows {
		row := &marked.Rows[i]
		row.OnPath = on(row.traceID, row.spanID)
	}
	return &marked
}

// Row describes one span. Its texts are escaped by [Escape].
type Row struct {
	Name, Kind, Service string
	// Labels are the values of the attributes that were passed to [New].
	Labels []string
	// Depth is 0 for a root.
	Depth int
	// Parent is the index of the parent's row, or -1.
	Parent int
	// Guides is the prefix of the row that draws its branch of the tree. Below is the prefix of
	// text under the row.
	Guides, Below string
	// Offset is the start of the span relative to Begin. Duration is never negative, even if a
	// clock was set back.
	Offset, Duration time.Duration
	// Failed is true if the status is Error or the span's place in the tree is invalid. Notes
	// describe each failure briefly.
	Failed bool
	Notes  []string
	// OnPath is true for spans of the critical path, see [Waterfall.WithPath].
	OnPath bool
	// Trace is the id of the span's trace if it differs from the trace of its parent; otherwise
	// empty. Another process continued the trace at such a row.
	Trace string

	traceID, spanID string
	// failure is the note about the status; empty unless the status is Error.
	failure string
}

// maxDepth limits the indentation. Without a limit, the size of the output would be quadratic in
// the length of a chain of spans.
const maxDepth = 50

// New lays out a trace. The result has no rows if the forest is nil or has no spans. Labels are
// attribute keys. Their values follow the names of the spans that have them, in this order.
func New(forest *spantree.Forest, labels ...string) *Waterfall {
	w := &Waterfall{Total: 1, labels: labels}
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
	// For each depth on the path to the current row: its node, the index of its row, and the prefix
	// of the rows below it.
	var nodes []*spantree.Node
	var path []int
	below, services := []string{""}, map[string]bool{}
	forest.Walk(func(n *spantree.Node, depth int) bool {
		row := newRow(n, labels)
		row.Depth, row.Parent = depth, -1
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
			if siblings := nodes[depth-1].Children; siblings[len(siblings)-1] == n {
				row.Guides, under = below[shown-1]+"└─ ", below[shown-1]+"   "
			}
		}
		row.Below = under + "   "
		if len(n.Children) > 0 && shown < maxDepth {
			row.Below = under + "│  "
		}
		nodes, path, below = append(nodes[:depth], n), append(path[:depth], len(w.Rows)), append(below[:shown], under)
		w.Rows = append(w.Rows, row)
		services[row.Service] = true
		return true
	})
	w.services = len(services)
	return w
}

// newRow returns the fields of a row that depend only on its span.
func newRow(n *spantree.Node, labels []string) Row {
	row := Row{
		Name: shownName(n.Span.Name), Kind: Escape(n.Span.Kind), Service: Escape(n.Span.Service), traceID: n.Span.TraceID, spanID: n.Span.SpanID,
		Duration: max(0, n.Span.Duration()),
		Failed:   n.Span.Code() == spantree.StatusError || n.Defect != "",
	}
	for _, key := range labels {
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

// continued returns a note with the trace of the row.
func (r Row) continued() string { return "continued in trace " + r.Trace }

// shownName returns the escaped name of a span, or a placeholder: every row has a non-empty name.
func shownName(name string) string {
	if name = Escape(name); strings.Trim(name, " ") != "" {
		return name
	}
	return "(no name)"
}

// Ticks returns round times on the axis, starting with zero, that divide it into at most steps
// equal steps. If steps is less than 1, Ticks uses 1.
func (w *Waterfall) Ticks(steps int) []time.Duration {
	count := time.Duration(max(1, steps))
	step := roundStep((w.Total-1)/count + 1)
	ticks := []time.Duration{0}
	for at := step; at <= w.Total && at > 0; at += step {
		ticks = append(ticks, at)
	}
	return ticks
}

// roundStep rounds a duration up to 1, 2 or 5 of a decimal unit, or to a round number of seconds,
// minutes, hours or days.
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
