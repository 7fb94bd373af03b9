package explain

import (
	"errors"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// ErrNoSpans is returned for a forest without spans.
var ErrNoSpans = errors.New("no spans to explain")

// Options select the span that is explained. The zero value selects the write that made the object
// of the trace ready.
type Options struct {
	// Object is the object whose readiness is explained. Empty fields match any object; the zero
	// value is the object of the first root.
	Object Object
	// Condition is the condition that became true, for example Available. Empty is Ready or, for
	// kinds without it, the condition that Kubernetes uses for the kind.
	Condition string
	// SpanID selects a span by its id. Object and Condition are then ignored.
	SpanID string
}

// Reason is the reason why a segment took time. Its value is for programs, and String for people.
type Reason string

// The reasons.
const (
	// ReasonWrite is the latency of a write: from the request to its response.
	ReasonWrite Reason = "write"
	// ReasonRead is the latency of a read.
	ReasonRead Reason = "read"
	// ReasonCode is the time between the reads and writes of a reconcile.
	ReasonCode Reason = "code"
	// ReasonQueue is the wait of a ready request for a worker.
	ReasonQueue Reason = "queue"
	// ReasonLimiter is the wait for the rate limiter of the API client.
	ReasonLimiter Reason = "rate_limiter"
	// ReasonReadWait is the wait until a cache has the reconciler's own writes.
	ReasonReadWait Reason = "read_wait"
	// ReasonBackoff is the delay after a failed reconcile.
	ReasonBackoff Reason = "back_off"
	// ReasonRequeue is a delay that a reconcile or an event handler asked for.
	ReasonRequeue Reason = "requeue"
	// ReasonWatch is the time from a write until the reacting controller received it.
	ReasonWatch Reason = "watch"
	// ReasonDown is a watch latency that shows that the controller was not running.
	ReasonDown Reason = "down"
	// ReasonWaiting is the wait for an object that is in progress, for example for a Pod that pulls
	// its image.
	ReasonWaiting Reason = "waiting"
	// ReasonReaction is the time from a write until the write of an observed controller that
	// reacted to it. It includes its watch, its queue and its work.
	ReasonReaction Reason = "reaction"
	// ReasonWebhook is the time in an admission webhook.
	ReasonWebhook Reason = "webhook"
	// ReasonConflict is a write that failed with a conflict, a reconcile that it ended, and the
	// delay until the retry.
	ReasonConflict Reason = "conflict"
	// ReasonUnknown is time that no span explains.
	ReasonUnknown Reason = "unknown"
)

var reasonTexts = map[Reason]string{
	ReasonWrite: "API write", ReasonRead: "API read", ReasonCode: "own code", ReasonQueue: "queue", ReasonLimiter: "client rate limiter",
	ReasonReadWait: "read-your-own-writes wait", ReasonBackoff: "back-off", ReasonRequeue: "scheduled requeue", ReasonWatch: "watch latency",
	ReasonDown: "controller not running", ReasonWaiting: "waiting", ReasonReaction: "reaction", ReasonWebhook: "webhook",
	ReasonConflict: "conflict and retry", ReasonUnknown: "unknown",
}

// String returns the reason in words.
func (r Reason) String() string {
	if text, known := reasonTexts[r]; known {
		return text
	}
	return string(r)
}

// Object names an object. Unknown fields are empty.
type Object struct {
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// String returns the kind and the name.
func (o Object) String() string {
	if o.Name == "" {
		return o.Kind
	}
	return o.Kind + " " + o.Name
}

// Span identifies a span of the trace.
type Span struct {
	TraceID string `json:"traceId,omitempty"`
	SpanID  string `json:"spanId,omitempty"`
	Name    string `json:"name,omitempty"`
	Actor   string `json:"actor,omitempty"`
	Object  Object `json:"object,omitzero"`
}

// Segment is a part of the critical path.
type Segment struct {
	// Offset is the time from the start of the change until the segment.
	Offset   time.Duration `json:"offsetNanoseconds"`
	Duration time.Duration `json:"durationNanoseconds"`
	// Actor is the service that took the time; empty if it is unknown.
	Actor  string `json:"actor,omitempty"`
	Reason Reason `json:"reason"`
	// Object is the object that the segment is about: the reconciled or written object, or the
	// object that the actor waited for.
	Object Object `json:"object,omitzero"`
	// Detail says more about the reason, for example "pulling image", or the error before a
	// back-off.
	Detail string `json:"detail,omitempty"`
	// Inferred is true if the actor is not recorded: a delete names no writer, and the actor is the
	// only controller that created and wrote the object.
	Inferred bool `json:"inferred,omitempty"`
	// Span is the span that the segment is a part of, or that ended the wait.
	Span Span `json:"span"`
}

// Step is a span in the chain of causes.
type Step struct {
	Span
	// End is the time from the start of the change until the end of the span.
	End time.Duration `json:"endNanoseconds"`
}

// Input is an object that the explained object needed.
type Input struct {
	Object Object `json:"object"`
	// Slack is how much later the object could have become ready without a delay; zero for the last
	// one, which is on the critical path.
	Slack time.Duration `json:"slackNanoseconds"`
}

// Branch is a span that is not on the critical path.
type Branch struct {
	Span
	Duration time.Duration `json:"durationNanoseconds"`
}

// Explanation says why a change took as long as it did. It has JSON names for programs.
type Explanation struct {
	// Object is the object whose change is explained, and Condition the condition that the last
	// span made true. An empty condition means that the explanation ends with the last write of the
	// object, or with the last span of the trace, because the object did not become ready.
	Object    Object `json:"object"`
	Condition string `json:"condition,omitempty"`
	// Blocked is the condition that the last span made False, with its reason, if the object did not
	// become ready.
	Blocked string `json:"blocked,omitempty"`
	// Start is the start of the change, and Total the time from it to the end of the last span.
	Start time.Time     `json:"start"`
	Total time.Duration `json:"totalNanoseconds"`
	// Unknown is the part of Total without an explanation.
	Unknown time.Duration `json:"unknownNanoseconds"`
	// Path has the segments of the critical path in the order of time. The first starts with the
	// change, each starts where the one before ends, and their sum is Total.
	Path []Segment `json:"path"`
	// Chain has the spans of the path from the first cause to the last effect.
	Chain []Step `json:"chain"`
	// Inputs has the objects that the explained object needed, the last one first; empty if fewer
	// than two became ready.
	Inputs []Input `json:"inputs,omitempty"`
	// OffPath has the longest spans beside the path.
	OffPath []Branch `json:"offPath,omitempty"`
	// Counts has the numbers of the spans. A reconcile that does nothing has no span.
	Counts spantree.Counts `json:"counts"`
	// Requeues has the number of reconciles that an earlier one asked for, by reason: error,
	// conflict, requeue or requeue_after.
	Requeues map[string]int `json:"requeues,omitempty"`
	// Resolution is the resolution of the times, if the trace was reconstructed.
	Resolution string `json:"resolution,omitempty"`
	// Missing is the number of spans whose parent is not in the trace.
	Missing int `json:"missing,omitempty"`
	// Backwards is the number of spans that end before they start, whose times count as zero.
	// Cycles is the number of cycles of parents, which are cut at their earliest span, and of causes
	// on the path.
	Backwards int `json:"backwards,omitempty"`
	Cycles    int `json:"cycles,omitempty"`
	// Skew is how much the clocks of two services differ at least, because an effect started
	// before its cause.
	Skew time.Duration `json:"skewNanoseconds,omitempty"`
	// Observed reports whether the trace has spans of an observer.
	Observed bool `json:"observed"`
}

// maxTotal limits the explained time, so that no sum of durations overflows.
const maxTotal = 100 * 365 * 24 * time.Hour

// Of explains a trace. It does not change or keep the forest. The error is [ErrNoSpans] or about
// options that match no span. It takes time in proportion to the number of spans, times its
// logarithm.
func Of(forest *spantree.Forest, options Options) (Explanation, error) {
	g := newGraph(forest)
	if len(g.nodes) == 0 {
		return Explanation{}, ErrNoSpans
	}
	goal, err := g.goal(options)
	if err != nil {
		return Explanation{}, err
	}
	start := g.start()
	end := latest(start, goal.node.span.End)
	start = latest(start, end.Add(-maxTotal))
	w := newWalk(g, start, end)
	w.from(goal.node)
	e := Explanation{
		Object: goal.object, Condition: goal.condition, Start: start, Total: end.Sub(start), Path: w.path(), Chain: w.steps(),
		Counts: forest.Counts(""), Requeues: g.requeues(), Resolution: g.resolution, Missing: g.missing, Backwards: g.backwards, Cycles: g.cycles,
		Skew: w.skew, Observed: g.observed,
	}
	for _, s := range e.Path {
		if s.Reason == ReasonUnknown {
			e.Unknown += s.Duration
		}
	}
	if goal.condition == "" {
		e.Blocked = goal.node.refusal()
	}
	e.Inputs = g.inputs(goal, w.chain)
	e.OffPath = g.offPath(w)
	return e, nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Spans has the ids of the spans of the path: of each, its trace id followed by its span id.
func (e Explanation) Spans() map[string]bool {
	spans := map[string]bool{}
	for _, s := range e.Path {
		spans[s.Span.TraceID+s.Span.SpanID] = true
	}
	for _, s := range e.Chain {
		spans[s.TraceID+s.SpanID] = true
	}
	return spans
}
