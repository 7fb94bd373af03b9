package explain

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

const (
	// maxDelivery is the longest watch latency of a controller that runs. Watches deliver within
	// milliseconds.
	maxDelivery = time.Second
	// requeueTolerance is the time that may pass between the end of a reconcile and its requeue. A
	// twentieth of the delay is added.
	requeueTolerance = 10 * time.Millisecond
	// maxScheduling is the number of writes of a Pod that are searched for a failed scheduling.
	maxScheduling = 256
)

// released returns the reconcile that asked for a reconcile, or the write that triggered it, and
// attributes the time from then until the request was ready.
func (w *walk) released(n *node, ready time.Time) *node {
	delay, reason := n.wait(attributeDelay), n.text(attributeRequeue)
	// After a conflict, the event of the other write is often faster than the delay.
	if reason != "" && (delay > 0 || n.text(attributeTrigger) == "requeue") || reason == "conflict" && w.previous(n) != nil {
		return w.requeued(n, ready.Add(-delay))
	}
	if delay > 0 {
		ready = ready.Add(-delay)
		w.back(ready, segment(n, ReasonRequeue, "delay of an event handler"))
	}
	return w.caused(n, ready)
}

// requeued returns the reconcile before one that waited for a delay from a time on.
func (w *walk) requeued(n *node, asked time.Time) *node {
	before := w.previous(n)
	wait := segment(n, ReasonRequeue, "")
	switch reason := n.text(attributeRequeue); {
	case reason == "conflict":
		wait.Reason, w.retried = ReasonConflict, before
	case reason == "error" && before != nil:
		wait.Reason, wait.Detail = ReasonBackoff, before.failure()
	case reason == "error":
		wait.Reason = ReasonBackoff
	}
	if before == nil {
		w.back(asked, wait)
		return w.enclosing(n)
	}
	// Failed reconciles always have a span.
	if gap := asked.Sub(before.span.End); wait.Reason != ReasonRequeue || gap <= requeueTolerance+n.wait(attributeDelay)/20 {
		w.back(before.span.End, wait)
		return before
	}
	// Reconciles that changed nothing came between, and have no span. They polled: the object that
	// became ready after the last of them ended that.
	if polled := w.becameReady(n, asked.Add(-requeueTolerance), w.now); polled != nil {
		wait.Detail = "until the poll after " + polled.object.String() + " was ready"
		w.back(polled.span.End, wait)
		return polled
	}
	if before.text(attributeResult) == "requeue_after" {
		wait.Detail = "polling by reconciles that changed nothing"
		w.back(before.span.End, wait)
	}
	w.back(asked, wait)
	w.back(before.span.End, w.unknown("earlier reconciles have no span", n.object))
	return before
}

// caused returns the write that a reconcile or a reaction reacted to, and attributes the time until
// the reaction was ready.
func (w *walk) caused(n *node, ready time.Time) *node {
	cause, exact := w.cause(n)
	about := n.causeObject()
	if !exact && n.text(attributeRequeue) != "" && about.matches(n.object) && w.previous(n) != nil {
		return w.requeued(n, ready) // An unknown write of the object only ended the delay.
	}
	if !exact {
		before := w.before(n)
		if before != nil && n.follows(before) {
			cause, exact = before, true
		} else if cause == nil {
			cause = before
		}
	}
	switch {
	case cause == nil && about != Object{}:
		w.back(w.start, w.unknown("not observed", about))
	case cause == nil: // The start of the trace.
	case exact:
		w.back(cause.span.End, w.delivered(n, cause, ready))
	case about != Object{}:
		w.back(cause.span.End, w.unknown("not observed", about))
	default:
		w.back(cause.span.End, w.unknown("no cause is recorded", n.object))
	}
	return cause
}

// follows reports whether a span is a reaction to its parent: no other cause is recorded, and the
// parent wrote the object, or admitted its change.
func (n *node) follows(before *node) bool {
	about, trigger := n.causeObject(), n.text(attributeTrigger)
	if about == (Object{}) {
		about = n.object
	}
	if before.object.Kind == "" || !about.matches(before.object) && !before.object.matches(about) {
		return false
	}
	return n.role == roleReaction || before.role == roleAdmit || trigger == "" || strings.HasPrefix(trigger, "create ")
}

// cause returns the recorded write: the span, else the write of the version, or not exactly the
// last write of the object before that version.
func (w *walk) cause(n *node) (cause *node, exact bool) {
	if id := (spanID{n.text(attributeCauseTrace), n.text(attributeCauseSpan)}); id.span != "" {
		if found := w.spans[id]; found != nil && found != n {
			return found, true
		}
	}
	key := version{n.text(attributeCauseUID), n.text(attributeCauseVersion)}
	if key.uid == "" || key.number == "" {
		return nil, false
	}
	if found := w.versions[key]; found != nil && found != n {
		return found, true
	}
	if strings.HasPrefix(n.text(attributeTrigger), "delete ") && w.deletes[key.uid] != nil {
		return w.deletes[key.uid], false
	}
	writes := w.writes[key.uid]
	at, _ := slices.BinarySearchFunc(writes, parseVersion(key.number), func(n *node, number uint64) int { return cmp.Compare(n.version(), number) })
	if at > 0 && writes[at-1] != n && writes[at-1].version() > 0 {
		return writes[at-1], false
	}
	return nil, false
}

// delivered returns the segment between a write and the reaction to it.
func (w *walk) delivered(n, cause *node, ready time.Time) Segment {
	s := segment(n, ReasonWatch, "")
	s.Object = cause.object
	took := ready.Sub(cause.span.End)
	verb, _, _ := strings.Cut(cause.span.Name, " ")
	// A controller that starts lists the objects, and so sees an old object as created.
	listed := strings.HasPrefix(n.text(attributeTrigger), "create ") && (strings.HasPrefix(verb, "update") || strings.HasPrefix(verb, "patch"))
	switch {
	case took >= maxDelivery && n.text(attributeTrigger) == "":
		s.Actor, s.Reason, s.Detail = "", ReasonUnknown, "no cause is recorded"
	case took >= maxDelivery || listed && took >= requeueTolerance:
		s.Reason = ReasonDown
	}
	return s
}

// reaction attributes the time back to the start of an observed write.
func (w *walk) reaction(n *node) {
	switch certainty := n.text(attributeCertainty); {
	case n.span.Name == "start Pod":
		w.cover(n, segment(n, ReasonWaiting, "starting"))
	case n.span.Service == "" || n.span.Service == "unknown":
		s := w.unknown("the writer is unknown", n.object)
		if creator := w.creator(n); creator != "" {
			s = segment(n, ReasonReaction, n.span.Name)
			s.Actor, s.Inferred = creator, true
		}
		w.back(n.span.Start, s)
	case n.span.Attributes[attributeLost] == true:
		w.back(n.span.Start, w.unknown("writes before may be lost", n.object))
	case certainty == "sequence":
		w.waited(n)
	default:
		if refused := w.unschedulable(n); refused != nil {
			w.back(refused.span.End, blocked(n, refused))
		}
		w.back(n.span.Start, segment(n, ReasonReaction, n.span.Name))
	}
}

// creator returns the controller that probably deleted an object: the only one that created and wrote
// it. It is empty for other writes, and if there are several controllers.
func (w *walk) creator(n *node) string {
	if verb, _, _ := strings.Cut(n.span.Name, " "); verb != "delete" && verb != "remove" {
		return ""
	}
	creator, created := "", false
	for _, write := range w.writes[n.text(attributeUID)] {
		switch service := write.span.Service; {
		case service == "" || service == "unknown":
			continue
		case creator != "" && creator != service:
			return ""
		default:
			creator, created = service, created || strings.HasPrefix(write.span.Name, "create ")
		}
	}
	if !created {
		return ""
	}
	return creator
}

// waited attributes a write whose only known cause is the controller's own previous write.
func (w *walk) waited(n *node) {
	cause, exact := w.cause(n)
	if !exact {
		cause = w.before(n)
	}
	if cause != nil && cause.transition("", "False") != nil {
		w.back(n.span.Start, blocked(n, cause))
		return
	}
	w.back(n.span.Start, w.unknown("no observed change caused it", n.object))
}

// unschedulable returns the write in which the scheduler found no node before it bound a Pod.
func (w *walk) unschedulable(n *node) *node {
	if n.span.Name != "bind Pod" {
		return nil
	}
	writes := w.writes[n.text(attributeUID)]
	for _, write := range slices.Backward(writes[max(0, len(writes)-maxScheduling):]) {
		if write != n && write.transition("PodScheduled", "False") != nil && write.span.End.After(n.span.Start) && write.span.End.Before(w.now) {
			return write
		}
	}
	return nil
}

// blocked returns the segment of an object that waits until a condition is no longer False.
func blocked(n, refused *node) Segment {
	s := segment(n, ReasonWaiting, refused.refusal())
	s.Object, s.Span = refused.object, refused.ref()
	return s
}

// refusal describes the condition that a write made False; empty if there is none.
func (n *node) refusal() string {
	event := n.transition("", "False")
	if event == nil {
		return ""
	}
	kind, _, _ := strings.Cut(event.Name, ": ")
	if reason, _ := event.Attributes["operator.condition.reason"].(string); reason != "" {
		return kind + "=False, " + reason
	}
	return kind + "=False"
}

// phaseOf describes a part of a Pod's start.
func phaseOf(n *node) string {
	action, _, _ := strings.Cut(n.span.Name, " ")
	switch action {
	case "pull":
		return "pulling image"
	case "create":
		return "creating container"
	case "start":
		return "starting container"
	case "probe":
		return "waiting for probes"
	case "sandbox":
		return "creating sandbox and network"
	}
	return "starting"
}
