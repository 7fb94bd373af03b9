package finding

import (
	"fmt"
	"iter"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

var hotLoop = Detector{
	ID: "hot-loop", Title: "Hot loop",
	Explanation: "Reconciles of the object trigger each other by their own writes and make no progress, for example by a time stamp in the status.\n" +
		"Write only if something changed, and keep values that differ in each reconcile out of objects that are watched.",
	find: findHotLoop,
}

func findHotLoop(w *work, _ Options) []Finding {
	var found []Finding
	for s := range w.streaks(func(_, r *reconcile) bool {
		_, _, own := w.cause(r)
		return own && !r.requeued() && r.failed() == "" && !r.progresses()
	}) {
		if next := len(s.reconciles) - 1; next >= MinLoop { // The operator's write did not trigger the first.
			found = append(found, s.finding(fmt.Sprintf("%d reconciles in a row triggered by the operator's own writes, without progress, in %s", next, s.took())))
		}
	}
	return found
}

var requeueStorm = Detector{
	ID: "requeue-storm", Title: "Requeue storm",
	Explanation: "Reconciles of the object ask for the next one within a second, again and again.\n" +
		"Watch the object that the reconcile waits for, or return a longer RequeueAfter.",
	find: findRequeueStorm,
}

func findRequeueStorm(w *work, _ Options) []Finding {
	var found []Finding
	for s := range w.streaks(func(previous, r *reconcile) bool {
		return r.requeued() && r.Span.Start.Sub(previous.Span.Start) <= MaxLoopPause && r.failed() == ""
	}) {
		if next := len(s.reconciles) - 1; next >= MinLoop { // An earlier reconcile did not ask for the first.
			found = append(found, s.finding(fmt.Sprintf("%d reconciles in a row that an earlier reconcile asked for, in %s", next, s.took())))
		}
	}
	return found
}

var constantError = Detector{
	ID: "constant-error", Title: "Retries with a constant error",
	Explanation: "Reconciles of the object failed again and again with the same error.\n" +
		"If a retry cannot help, return reconcile.TerminalError; if the operator waits for an object, watch it and return nil.",
	find: findConstantError,
}

func findConstantError(w *work, _ Options) []Finding {
	var found []Finding
	for s := range w.streaks(func(previous, r *reconcile) bool { return r.failed() != "" && r.failed() == previous.failed() }) {
		if len(s.reconciles) >= MinErrors && s.took() >= MinErrorTime {
			found = append(found, s.finding(fmt.Sprintf("%d reconciles in a row failed with the same error, in %s: %s", len(s.reconciles), s.took(), s.reconciles[0].failed())))
		}
	}
	return found
}

// streak is a sequence of reconciles of an object, without others of the object between them.
type streak struct {
	object     object
	reconciles []*reconcile
}

// streaks visits the longest sequences in which next is true for each reconcile and the one before.
func (w *work) streaks(next func(previous, r *reconcile) bool) iter.Seq[streak] {
	return func(yield func(streak) bool) {
		for _, o := range w.objects {
			for _, run := range runs(w.reconciles[o], next) {
				if !yield(streak{o, run}) {
					return
				}
			}
		}
	}
}

// took returns the time from the first start to the last end.
func (s streak) took() time.Duration {
	return round(s.reconciles[len(s.reconciles)-1].Span.End.Sub(s.reconciles[0].Span.Start))
}

func (s streak) finding(summary string) Finding {
	return newFinding(s.object.String(), summary, nodesOf(s.reconciles)...)
}

var unboundedGrowth = Detector{
	ID: "unbounded-growth", Title: "Unbounded growth",
	Explanation: "Each reconcile adds something that never ends: another object, or another version of an object that is ready.\n" +
		"Derive the names of dependents from the object, delete old dependents, and write the status only if it changed.",
	find: findUnboundedGrowth,
}

func findUnboundedGrowth(w *work, _ Options) []Finding {
	var found []Finding
	for _, o := range w.objects {
		all := w.reconciles[o]
		found = append(found, growthOfObjects(o, all)...)
		if spans := growthOfVersions(all); len(spans) >= MinGrowth {
			found = append(found, newFinding(o.String(), fmt.Sprintf("%d writes of the status after the object was ready, without a change of a condition", len(spans)), spans...))
		}
	}
	return found
}

// growthOfObjects finds kinds of which many reconciles each created an object with a new name, and
// of which the operator deleted none.
func growthOfObjects(o object, all []*reconcile) []Finding {
	var kinds []string
	created, names, deletes := map[string][]*spantree.Node{}, map[object]bool{}, map[string]bool{}
	for _, r := range all {
		counted := map[string]bool{}
		for _, n := range r.writes {
			of := objectOf(&n.Span)
			switch {
			case verb(n) == "delete" || verb(n) == "delete_all":
				deletes[of.kind] = true
			case verb(n) != "create" || !n.Span.Changed() || names[of] || counted[of.kind]:
			default:
				names[of], counted[of.kind] = true, true
				if created[of.kind] == nil {
					kinds = append(kinds, of.kind)
				}
				created[of.kind] = append(created[of.kind], n)
			}
		}
	}
	var found []Finding
	for _, kind := range kinds {
		if spans := created[kind]; len(spans) >= MinGrowth && !deletes[kind] {
			found = append(found, newFinding(o.String(), fmt.Sprintf("%d reconciles each created another %s, and none was deleted", len(spans), kind), spans...))
		}
	}
	return found
}

// growthOfVersions returns the writes of the status after the object was ready that changed no
// condition, in reconciles that nothing but the operator asked for.
func growthOfVersions(all []*reconcile) []*spantree.Node {
	var spans []*spantree.Node
	ready := false
	for _, r := range all {
		own := r.requeued() || text(&r.Span, "operator.reconcile.cause.span_id") != ""
		for _, n := range r.writes {
			if !n.Span.Changed() || !isStatus(n) || objectOf(&n.Span) != r.object {
				continue
			}
			for _, e := range n.Span.Events {
				if _, to, ok := transition(e.Name); ok {
					ready = to == "True"
				}
			}
			if ready && own && !hasTransition(&n.Span) {
				spans = append(spans, n)
			}
		}
	}
	return spans
}

func round(d time.Duration) time.Duration {
	if d >= time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}
