package view

import (
	"slices"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/explain/report"
	"github.com/operator-tracing/sandbox/sandbox/view/fact"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// The selections of [Waterfall.Only].
const (
	OnlyPath     = "path"
	OnlyFailures = "failures"
	OnlyWrites   = "writes"
)

// place identifies a span of a trace.
type place struct{ trace, span string }

// step is a part of the critical path on the axis.
type step struct {
	place    place
	from, to time.Duration
}

// why is the explanation of a trace.
type why struct {
	summary string
	steps   []step
	raw     explain.Explanation
}

// Explained returns the trace with its critical path: as rows for waits that have no span, in
// selections, and highlighted in pages and pictures.
func (w *Waterfall) Explained(e explain.Explanation) *Waterfall {
	out, shift := *w, e.Start.Sub(w.Begin)
	out.why = &why{summary: report.Line(e, 0), raw: e}
	on, waits := e.Spans(), map[place][]Row{}
	for _, s := range e.Path {
		at := place{s.Span.TraceID, s.Span.SpanID}
		from := shift + s.Offset
		out.why.steps = append(out.why.steps, step{at, from, from + s.Duration})
		if waited(s) && s.Duration >= max(fact.MinWait, w.Total/waitPart) {
			waits[at] = append(waits[at], waitRow(s, from))
		}
	}
	index := make([]int, len(w.Rows))
	out.Rows = make([]Row, 0, len(w.Rows))
	for i, row := range w.Rows {
		at := place{row.traceID, row.spanID}
		row.onPath = on[row.traceID+row.spanID]
		if row.Parent >= 0 {
			row.Parent = index[row.Parent]
		}
		if !row.duplicate {
			for _, wait := range waits[at] {
				wait.Depth, wait.Parent = row.Depth, row.Parent
				out.Rows = append(out.Rows, wait)
			}
			delete(waits, at)
		}
		index[i] = len(out.Rows)
		out.Rows = append(out.Rows, row)
	}
	out.connect()
	return &out
}

// waited reports whether a segment is a wait that no attribute of a span records.
func waited(s explain.Segment) bool {
	return s.Reason == explain.ReasonUnknown || s.Reason == explain.ReasonDown
}

func waitRow(s explain.Segment, from time.Duration) Row {
	row := Row{
		Name: fact.MarkWait + " " + s.Reason.String() + " " + format.Duration(s.Duration), Service: format.Escape(s.Actor), Wait: true, onPath: true,
		Offset: from, Duration: s.Duration, traceID: s.Span.TraceID, spanID: s.Span.SpanID,
	}
	if s.Detail != "" {
		row.Words = []fact.Word{{Text: format.Escape(s.Detail), Mark: fact.MarkUnknown}}
	}
	return row
}

// Only returns the trace with the rows of a selection and their ancestors: the critical path, the
// failures and conflicts, or the writes. Any other selection has all rows. The axis stays the same.
func (w *Waterfall) Only(selection string) *Waterfall {
	selected := map[string]func(Row) bool{
		OnlyPath: func(r Row) bool { return r.onPath },
		OnlyFailures: func(r Row) bool {
			return r.Failed || slices.ContainsFunc(r.Words, func(w fact.Word) bool { return w.Bad })
		},
		OnlyWrites: func(r Row) bool { return r.writes },
	}[selection]
	if selected == nil {
		return w
	}
	keep := make([]bool, len(w.Rows))
	for i, row := range slices.Backward(w.Rows) {
		if keep[i] = keep[i] || selected(row); keep[i] && row.Parent >= 0 {
			keep[row.Parent] = true
		}
	}
	out := *w
	out.Rows, out.only, out.whole = nil, selection, w
	index := make([]int, len(w.Rows))
	for i, row := range w.Rows {
		if !keep[i] {
			continue
		}
		if row.Parent >= 0 {
			row.Parent = index[row.Parent]
		}
		index[i] = len(out.Rows)
		out.Rows = append(out.Rows, row)
	}
	out.connect()
	return &out
}
