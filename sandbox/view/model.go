package view

import (
	"cmp"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/view/fact"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// Waterfall is a trace laid out for drawing: a row for each span and for each long wait, all on one
// time axis. It is immutable and safe for concurrent use.
type Waterfall struct {
	// TraceID is the trace id of the first root, in hexadecimal digits; empty if there are no
	// spans. Rows can belong to other traces that continue this one.
	TraceID string
	// Begin is the start of the earliest span, and the zero of the axis.
	Begin time.Time
	// Total is the length of the axis, from Begin to the end of the last span; at least one
	// nanosecond.
	Total time.Duration
	// Rows are the spans and waits, parents before children and siblings ordered by start. A wait
	// precedes the span that waited.
	Rows []Row

	labels   []string
	services int // the number of services
	spans    int // the number of spans of the trace
	folds    []fold
	why      *why       // nil without an explanation
	only     string     // the selection of rows; empty for all
	whole    *Waterfall // the trace with all rows, of a selection
}

// Row describes a span, or a wait before it. Its texts are escaped by [format.Escape].
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
	// Words are further facts about the span, the most important first.
	Words []fact.Word
	// Wait is true for a wait, for example in a queue. Its name says why.
	Wait bool
	// Trace is the id of the span's trace if it differs from the trace of its parent; otherwise
	// empty. Another process continued the trace at such a row.
	Trace string

	traceID, spanID string
	// failure is the note about the status; empty unless the status is Error.
	failure string
	writes  bool // the span is a write of an object
	onPath  bool // the row is on the critical path
	// duplicate is true if an earlier row has the same id.
	duplicate bool
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
	// For each depth on the path to the current row: its node, and the index of its row.
	var nodes []*spantree.Node
	var path []int
	seen := map[place]bool{}
	forest.Walk(func(n *spantree.Node, depth int) bool {
		row := newRow(n, labels)
		row.Depth, row.Parent = depth, -1
		row.Offset = n.Span.Start.Sub(w.Begin)
		var parent *spantree.Span
		if depth > 0 {
			row.Parent, parent = path[depth-1], &nodes[depth-1].Span
			if w.Rows[row.Parent].traceID != row.traceID {
				row.Trace = format.Escape(row.traceID)
			}
		}
		at := place{row.traceID, row.spanID}
		row.duplicate, seen[at] = seen[at], true
		row.Words = fact.Of(&n.Span, parent)
		for _, wait := range fact.Waits(&n.Span) {
			w.addWait(&row, wait)
		}
		nodes, path = append(nodes[:depth], n), append(path[:depth], len(w.Rows))
		w.Rows = append(w.Rows, row)
		return true
	})
	w.spans = w.shown()
	w.connect()
	return w
}

// shown returns the number of rows that are spans.
func (w *Waterfall) shown() int {
	count := 0
	for _, row := range w.Rows {
		if !row.Wait {
			count++
		}
	}
	return count
}

// waitPart is the part of the axis that a wait must have to be a row. Shorter ones are words.
const waitPart = 50

// addWait adds a wait before a row that is added next: as a row, or as a word of that row.
func (w *Waterfall) addWait(row *Row, wait fact.Wait) {
	from, to := max(0, row.Offset-wait.End-wait.Duration), row.Offset-wait.End
	if to-from < max(fact.MinWait, w.Total/waitPart) {
		row.Words = append(row.Words, fact.Word{Text: wait.String(), Mark: fact.MarkWait})
		return
	}
	w.Rows = append(w.Rows, Row{
		Name: fact.MarkWait + " " + wait.String(), Service: row.Service, Depth: row.Depth, Parent: row.Parent, Offset: from, Duration: to - from, Wait: true,
		traceID: row.traceID, spanID: row.spanID, duplicate: row.duplicate,
	})
}

// connect draws the branches of the tree, and lays out the axis.
func (w *Waterfall) connect() {
	last := make([]bool, len(w.Rows)) // the row is the last child of its parent
	var later []bool                  // for each depth, whether a sibling follows
	for i := len(w.Rows) - 1; i >= 0; i-- {
		depth := w.Rows[i].Depth
		for len(later) <= depth {
			later = append(later, false)
		}
		last[i], later[depth] = !later[depth], true
		later = later[:depth+1]
	}
	below, services := []string{""}, map[string]bool{} // below has the prefixes of the rows under each depth
	for i := range w.Rows {
		row := &w.Rows[i]
		shown, under := min(row.Depth, maxDepth), ""
		row.Guides = ""
		switch {
		case shown > 0 && last[i]:
			row.Guides, under = below[shown-1]+"└─ ", below[shown-1]+"   "
		case shown > 0:
			row.Guides, under = below[shown-1]+"├─ ", below[shown-1]+"│  "
		}
		row.Below = under + "   "
		if i+1 < len(w.Rows) && w.Rows[i+1].Depth > row.Depth && shown < maxDepth {
			row.Below = under + "│  "
		}
		below = append(below[:shown], under)
		if !row.Wait {
			services[row.Service] = true
		}
	}
	w.services = len(services)
	w.folds = foldsOf(w.Rows, w.Total)
}

// newRow returns the fields of a row that depend only on its span.
func newRow(n *spantree.Node, labels []string) Row {
	row := Row{
		Name: shownName(n.Span.Name), Kind: format.Escape(n.Span.Kind), Service: format.Escape(n.Span.Service), traceID: n.Span.TraceID, spanID: n.Span.SpanID,
		Duration: max(0, n.Span.Duration()),
		Failed:   n.Span.Code() == spantree.StatusError || n.Defect != "", writes: fact.IsWrite(&n.Span),
	}
	for _, key := range labels {
		if value, found := n.Span.Attributes[key]; found {
			row.Labels = append(row.Labels, format.Escape(spantree.FormatValue(value)))
		}
	}
	if n.Span.Code() == spantree.StatusError {
		row.failure = "error"
		if cause := cmp.Or(n.Span.Status.Message, fact.Text(&n.Span, "error.type")); cause != "" {
			row.failure += ": " + format.Escape(cause)
		}
		row.Notes = append(row.Notes, row.failure)
	}
	switch n.Defect {
	case "":
	case spantree.DefectOrphan:
		row.Notes = append(row.Notes, "parent "+format.Escape(n.Span.ParentSpanID)+" is missing")
	default:
		row.Notes = append(row.Notes, string(n.Defect))
	}
	return row
}

// continued returns a note with the trace of the row.
func (r Row) continued() string { return "continued in trace " + r.Trace }

// shownName returns the escaped name of a span, or a placeholder: every row has a non-empty name.
func shownName(name string) string {
	if name = format.Escape(name); strings.Trim(name, " ") != "" {
		return name
	}
	return "(no name)"
}
