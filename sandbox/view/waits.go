package view

import (
	"cmp"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

const (
	// maxWait limits waits, so that no sum of durations overflows.
	maxWait = 10 * 365 * 24 * time.Hour
	// A wait is a row if it is at least this part of the axis. Shorter ones are words.
	waitPart = 50
)

// wait is a time before a span in which its request waited.
type wait struct {
	what string
	// end is when the wait ended, relative to the start of the span.
	end, duration time.Duration
}

// delayNames are the reasons of delays, by the reason of the requeue.
var delayNames = map[string]string{"error": "back-off", "conflict": "conflict back-off", "requeue": "requeue", "requeue_after": "scheduled requeue"}

// waitsOf returns the waits of a reconcile: its delay, and its time in the queue.
func waitsOf(s *spantree.Span) []wait {
	var waits []wait
	queue, reason := seconds(s, "operator.reconcile.queue_wait"), text(s, "operator.reconcile.requeue_reason")
	if delay := seconds(s, "operator.reconcile.delay"); delay > 0 {
		waits = append(waits, wait{cmp.Or(delayNames[reason], "delay"), -queue, delay})
	} else if reason != "" {
		waits = append(waits, wait{what: cmp.Or(delayNames[reason], "delay")})
	}
	if queue >= minWait {
		waits = append(waits, wait{"queue", 0, queue})
	}
	return waits
}

// addWait adds a wait before a row that is added next: as a row or, if it is short, as a word.
func (w *Waterfall) addWait(row *Row, wait wait) {
	name := wait.what
	if wait.duration > 0 {
		name += " " + FormatDuration(wait.duration)
	}
	from, to := max(0, row.Offset+wait.end-wait.duration), row.Offset+wait.end
	if to-from < max(minWait, w.Total/waitPart) {
		row.Words = append(row.Words, Word{Text: Escape(name), Mark: markWait})
		return
	}
	w.Rows = append(w.Rows, Row{
		Name: markWait + " " + Escape(name), Service: row.Service, Depth: row.Depth, Parent: row.Parent, Offset: from, Duration: to - from, Wait: true,
		traceID: row.traceID, spanID: row.spanID,
	})
}
