package spantree

import "slices"

// Count names one of the numbers of [Counts].
type Count string

// The counts. Unlike durations, they hardly depend on the machine. All except CountSpans and
// CountObserved count spans of package operator/tracing.
const (
	// CountSpans is the number of spans, and CountErrors the number of spans with status Error.
	CountSpans  Count = "spans"
	CountErrors Count = "errors"
	// CountReconciles is the number of reconciles. CountUseful counts the reconciles with a write
	// that changed an object, and CountFailed the reconciles that returned an error, conflicts
	// included.
	CountReconciles Count = "reconciles"
	CountUseful     Count = "useful"
	CountFailed     Count = "failed"
	// CountRequeues is the number of reconciles that an earlier reconcile requested.
	CountRequeues Count = "requeues"
	// CountWrites is the number of writes in reconciles, without the write of the user.
	// CountUnchanged, CountConflicts and CountAlreadyExists count the writes that changed nothing
	// for that reason.
	CountWrites        Count = "writes"
	CountUnchanged     Count = "unchanged"
	CountConflicts     Count = "conflicts"
	CountAlreadyExists Count = "already_exists"
	// CountStaleReads is the number of reads that returned an older version than the last write of
	// the operator. CountReads is the number of reads with a span.
	CountStaleReads Count = "stale_reads"
	CountReads      Count = "reads"
	// CountWebhooks is the number of calls of webhooks.
	CountWebhooks Count = "webhooks"
	// CountObserved is the number of spans of the sandbox's observer.
	CountObserved Count = "observed"
)

var allCounts = []Count{
	CountReconciles, CountUseful, CountFailed, CountRequeues,
	CountWrites, CountUnchanged, CountConflicts, CountAlreadyExists, CountStaleReads, CountReads,
	CountWebhooks, CountErrors, CountSpans, CountObserved,
}

// AllCounts returns all counts in the order of reports.
func AllCounts() []Count { return slices.Clone(allCounts) }

// Counts has a number for each of [AllCounts].
type Counts map[Count]int

// Counts returns the numbers of the forest's spans, each of [AllCounts]. If service is not empty,
// only spans of that service count. A nil forest has only zeros.
func (f *Forest) Counts(service string) Counts {
	counts := make(Counts, len(allCounts))
	for _, c := range allCounts {
		counts[c] = 0
	}
	var reconciles []*Node // The nearest reconcile at or above each depth.
	useful := map[*Node]bool{}
	f.Walk(func(n *Node, depth int) bool {
		var reconcile *Node
		if depth > 0 {
			reconcile = reconciles[depth-1]
		}
		role := n.Span.Role()
		if role == RoleReconcile {
			reconcile = n
		}
		reconciles = append(reconciles[:depth], reconcile)
		if service != "" && n.Span.Service != service {
			return true
		}
		counts.add(&n.Span, role, reconcile != nil)
		if reconcile != nil && !useful[reconcile] && n.Span.Changed() {
			useful[reconcile] = true
			counts[CountUseful]++
		}
		return true
	})
	return counts
}

func (c Counts) add(span *Span, role Role, reconciles bool) {
	c[CountSpans]++
	if span.Status.Code == StatusError {
		c[CountErrors]++
	}
	switch role {
	case RoleObserved:
		c[CountObserved]++
	case RoleRead:
		c[CountReads]++
	case RoleWebhook:
		c[CountWebhooks]++
	case RoleReconcile:
		c.addReconcile(span)
	case RoleWrite:
		if reconciles {
			c.addWrite(span)
		}
	}
}

func (c Counts) addReconcile(span *Span) {
	c[CountReconciles]++
	if span.Status.Code == StatusError || span.HasEvent(eventConflict) || span.HasEvent(eventAlreadyExists) {
		c[CountFailed]++
	}
	if _, requeued := span.Attributes[attributeRequeue]; requeued {
		c[CountRequeues]++
	}
	for _, e := range span.Events {
		if e.Name == eventStaleRead {
			c[CountStaleReads]++
		}
	}
}

func (c Counts) addWrite(span *Span) {
	c[CountWrites]++
	switch {
	case span.HasEvent(eventConflict):
		c[CountConflicts]++
	case span.HasEvent(eventAlreadyExists):
		c[CountAlreadyExists]++
	case span.Attributes[attributeUnchanged] == true:
		c[CountUnchanged]++
	}
}
