package explain

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// walk goes back from an effect to its first cause. The time between two moments that it visits is
// a segment, so the segments add up to the whole time.
type walk struct {
	*graph

	start, now time.Time
	segments   []Segment // the last first
	chain      []*node   // the last effect first
	visited    map[*node]bool
	skew       time.Duration
	retried    *node // the reconcile that ended with a conflict, and so was retried
}

func newWalk(g *graph, start, end time.Time) *walk {
	return &walk{graph: g, start: start, now: end, visited: map[*node]bool{}}
}

// from walks from the end of a span. It visits each span once, so it ends for any links.
func (w *walk) from(n *node) {
	for n != nil && !w.visited[n] {
		w.visited[n] = true
		w.chain = append(w.chain, n)
		cause := w.step(n)
		if cause != nil && cause.span.Service != n.span.Service {
			w.skew = max(w.skew, cause.span.Start.Sub(n.span.Start))
		}
		n = cause
	}
	if n != nil || w.followsItself(w.chain[len(w.chain)-1]) {
		w.cycles++
	}
	w.back(w.start, w.unknown("no cause is recorded", Object{}))
}

// followsItself reports whether a span has a link to a span that it caused, or to itself.
func (w *walk) followsItself(n *node) bool {
	return slices.ContainsFunc(n.span.Links, func(link spantree.Link) bool {
		return w.visited[w.spans[spanID{link.TraceID, link.SpanID}]]
	})
}

// step attributes the time back to the start of a span, and further to the end of its cause, which
// it returns; nil if there is none.
func (w *walk) step(n *node) *node {
	switch n.role {
	case roleReaction:
		w.reaction(n)
		return w.caused(n, n.span.Start)
	case roleReconcile:
		return w.reconcile(n)
	case roleWrite:
		w.write(n)
	default:
		w.whole(n, Segment{Reason: ReasonCode})
	}
	return w.enclosing(n)
}

// back moves the cursor to an earlier time, and attributes the time between. A time that is not
// earlier changes nothing.
func (w *walk) back(to time.Time, s Segment) {
	to = latest(to, w.start)
	if !to.Before(w.now) {
		return
	}
	s.Offset, s.Duration = to.Sub(w.start), w.now.Sub(to)
	w.segments = append(w.segments, s)
	w.now = to
}

// segment returns a segment of a span.
func segment(n *node, why Reason, detail string) Segment {
	return Segment{Actor: n.span.Service, Reason: why, Object: n.object, Detail: detail, Span: n.ref()}
}

// unknown returns a segment of time that no span explains, before the last span of the chain.
func (w *walk) unknown(detail string, about Object) Segment {
	return Segment{Reason: ReasonUnknown, Detail: detail, Object: about, Span: w.chain[len(w.chain)-1].ref()}
}

// enclosing returns the span that a span is a part of, or that it follows.
func (w *walk) enclosing(n *node) *node {
	before := w.before(n)
	if before != nil {
		w.back(before.span.End, w.unknown("between "+before.span.Name+" and "+n.span.Name, Object{}))
	}
	return before
}

// before returns the parent or, for a root, the first linked span that is in the trace.
func (w *walk) before(n *node) *node {
	if n.parent != nil {
		if n.parent.role == roleConverge {
			return nil
		}
		return n.parent
	}
	for _, link := range n.span.Links {
		if found := w.spans[spanID{link.TraceID, link.SpanID}]; found != nil && !w.visited[found] {
			return found
		}
	}
	return nil
}

// write attributes a write of the library: the client's rate limiter, the webhooks that admitted
// it, and its latency.
func (w *walk) write(n *node) {
	why := ReasonWrite
	if n.span.HasEvent("conflict") {
		why = ReasonConflict
	}
	first := len(w.segments)
	w.cover(n, segment(n, why, n.span.Name))
	w.carve(first, n.wait(attributeWriteLimiter), ReasonLimiter, why)
}

// cover attributes the time back to the start of a span: to the spans inside it that ended before,
// the last first, and else to the span itself.
func (w *walk) cover(n *node, own Segment) {
	inside := slices.DeleteFunc(slices.Clone(n.children), func(c *node) bool { return !n.encloses(c) })
	slices.SortStableFunc(inside, byEnd)
	for _, c := range slices.Backward(inside) {
		if w.visited[c] || c.span.End.After(w.now) || !c.span.End.After(n.span.Start) {
			continue
		}
		w.visited[c] = true
		w.back(c.span.End, own)
		w.whole(c, own)
	}
	w.back(n.span.Start, own)
}

// encloses reports whether a child is a part of a span, and not an effect of it.
func (n *node) encloses(c *node) bool {
	if n.role == roleReaction {
		return c.span.Service == n.span.Service && (c.role == rolePhase || c.role == roleReaction)
	}
	switch c.role {
	case roleAdmit, roleOther: // Also of kube-apiserver in a write.
		return n.role == roleWrite || n.role == roleRead || n.role == roleOther || n.role == roleReconcile
	case roleRead, roleWrite:
		return n.role == roleReconcile || n.role == roleOther
	}
	return false
}

// whole attributes the time back to the start of a span that is not a cause. Spans of other
// instrumentation have the reason of the span around them, except calls of webhooks by kube-apiserver.
func (w *walk) whole(n *node, around Segment) {
	switch n.role {
	case roleWrite:
		w.write(n)
	case roleRead:
		w.cover(n, segment(n, ReasonRead, n.span.Name))
	case roleAdmit:
		w.back(n.span.Start, segment(n, ReasonWebhook, n.span.Name))
	case roleReaction, rolePhase:
		w.back(n.span.Start, segment(n, ReasonWaiting, phaseOf(n)))
	case roleConverge:
	default:
		own := segment(n, around.Reason, n.span.Name)
		switch {
		case around.Reason == ReasonWebhook:
			own.Detail = around.Detail
		case strings.HasPrefix(n.span.Name, "Call ") && strings.HasSuffix(n.span.Name, " webhook"):
			own.Reason, own.Detail = ReasonWebhook, cmp.Or(n.text("webhook"), n.span.Name)
		}
		w.cover(n, own)
	}
}

// reconcile attributes a reconcile, its queue and its delay, and returns its cause.
func (w *walk) reconcile(n *node) *node {
	first := len(w.segments)
	w.cover(n, segment(n, ReasonCode, ""))
	w.carve(first, n.wait(attributeReadWait), ReasonReadWait, ReasonRead, ReasonCode)
	limited := n.wait(attributeLimiter)
	for _, c := range n.children {
		limited -= c.wait(attributeWriteLimiter) // Those are parts of the writes.
	}
	w.carve(first, limited, ReasonLimiter, ReasonRead, ReasonCode)
	if w.retried == n {
		for i := range w.segments[first:] {
			w.segments[first+i].Reason = ReasonConflict
		}
	}
	ready := n.span.Start.Add(-n.wait(attributeQueueWait))
	w.back(ready, segment(n, ReasonQueue, ""))
	return w.released(n, ready)
}

// carve changes the reason of a part of the segments from an index on: of the earliest ones whose
// reason is one of some. The place of a wait in its span is not recorded.
func (w *walk) carve(first int, wait time.Duration, to Reason, of ...Reason) {
	for i := len(w.segments) - 1; i >= first && wait > 0; i-- {
		s := w.segments[i]
		if !slices.Contains(of, s.Reason) {
			continue
		}
		waited := s
		waited.Reason, waited.Duration = to, min(wait, s.Duration)
		wait -= waited.Duration
		if waited.Duration == s.Duration {
			w.segments[i] = waited
			continue
		}
		w.segments[i].Offset += waited.Duration
		w.segments[i].Duration -= waited.Duration
		w.segments = slices.Insert(w.segments, i+1, waited)
	}
}

// path returns the segments in the order of time. It joins equal neighbors. The walk must have ended.
func (w *walk) path() []Segment {
	slices.Reverse(w.segments)
	path := w.segments[:0]
	for _, s := range w.segments {
		last := len(path) - 1
		if last >= 0 && path[last].Reason == s.Reason && path[last].Detail == s.Detail && path[last].Span == s.Span && path[last].Object == s.Object {
			path[last].Duration += s.Duration
			continue
		}
		path = append(path, s)
	}
	return path
}

// steps returns the chain in the order of causes.
func (w *walk) steps() []Step {
	steps := make([]Step, 0, len(w.chain))
	for _, n := range slices.Backward(w.chain) {
		steps = append(steps, Step{Span: n.ref(), End: max(0, n.span.End.Sub(w.start))})
	}
	return steps
}
