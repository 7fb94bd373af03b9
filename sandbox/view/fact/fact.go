// Package fact states in words what a span of package operator/tracing or of an observer records
// beside its times: results, conflicts, conditions, causes and waits.
package fact

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// Word is a fact about a span that its bar does not show.
type Word struct {
	// Text is the fact in words, Short the same without details (empty if there are none), and Mark
	// a character that replaces it if there is no room.
	Text, Short, Mark string
	// Bad is true for failures and conflicts.
	Bad bool
}

// The marks.
const (
	MarkFailure  = "✗"
	MarkConflict = "≠"
	MarkRequest  = "!"
	MarkRequeue  = "↻"
	MarkSame     = "="
	MarkState    = "●"
	MarkCause    = "←"
	MarkWait     = "…"
	MarkUnknown  = "?"
	MarkTrace    = "⇢"
)

// Marks are the meanings of the marks, in the order of a legend.
var Marks = []struct{ Mark, Text string }{
	{MarkFailure, "failure"}, {MarkConflict, "conflict"}, {MarkRequest, "other response"}, {MarkRequeue, "requeue or retry"}, {MarkSame, "unchanged"},
	{MarkState, "condition"}, {MarkCause, "cause"}, {MarkWait, "wait"}, {MarkUnknown, "unknown"}, {MarkTrace, "another trace"},
}

// MinWait is the shortest wait in words.
const MinWait = time.Millisecond

// eventWords are the events of requests that have words.
var eventWords = map[string]Word{
	"conflict": {Text: "conflict", Mark: MarkConflict, Bad: true}, "already_exists": {Text: "already exists", Mark: MarkRequest, Bad: true},
	"not_found": {Text: "not found", Mark: MarkRequest}, "denied": {Text: "denied", Mark: MarkFailure, Bad: true}, "stale_read": {Text: "stale read", Mark: MarkRequest},
}

// Of returns the words of a span. The parent is nil for a root.
func Of(s, parent *spantree.Span) []Word {
	var words []Word
	add := func(w Word) {
		w.Text, w.Short = format.Escape(w.Text), format.Escape(w.Short)
		if !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	for _, e := range s.Events {
		if w, known := eventWords[e.Name]; known {
			if message, _ := e.Attributes["operator.admission.message"].(string); message != "" {
				w.Short = w.Text
				w.Text += ": " + message
			}
			add(w)
		}
	}
	for _, w := range outcome(s) {
		add(w)
	}
	for _, w := range transitions(s) {
		add(w)
	}
	if event, name := causeOf(s, parent); event != "" {
		add(Word{strings.TrimSuffix("← "+event+"/"+name, "/"), "← " + event, MarkCause, false})
	}
	for _, wait := range []struct{ key, text string }{
		{"operator.reconcile.read_wait", "read-your-own-writes wait "}, {"operator.reconcile.rate_limiter_wait", "rate limiter "}, {"operator.write.rate_limiter_wait", "rate limiter "},
	} {
		if d := seconds(s, wait.key); d >= MinWait {
			add(Word{Text: wait.text + format.Duration(d), Mark: MarkWait})
		}
	}
	return words
}

// outcome returns words about the result of a reconcile or write.
func outcome(s *spantree.Span) []Word {
	var words []Word
	switch result := Text(s, "operator.reconcile.result"); result {
	case "", "success":
	case "error":
		conflict := func(e spantree.Event) bool { return e.Name == "conflict" }
		if s.Code() != spantree.StatusError && !slices.ContainsFunc(s.Events, conflict) {
			words = append(words, Word{Text: "error", Mark: MarkFailure, Bad: true})
		}
	case "requeue_after":
		after := "requeue after"
		if d := seconds(s, "operator.reconcile.requeue_after"); d > 0 {
			after += " " + format.Duration(d)
		}
		words = append(words, Word{Text: after, Mark: MarkRequeue})
	case "requeue":
		words = append(words, Word{Text: result, Mark: MarkRequeue})
	default:
		words = append(words, Word{Text: strings.ReplaceAll(result, "_", " "), Mark: MarkFailure, Bad: true})
	}
	if attempt, found := s.Attributes["operator.reconcile.attempt"]; found {
		if number := spantree.FormatValue(attempt); number != "1" {
			words = append(words, Word{Text: "attempt " + number, Mark: MarkRequeue})
		}
	}
	for _, flag := range []struct{ key, text, mark string }{
		{"operator.write.unchanged", "unchanged", MarkSame}, {"operator.observer.lost", "versions lost", MarkUnknown}, {"operator.observer.unfinished", "unfinished", MarkUnknown},
	} {
		if s.Attributes[flag.key] == true {
			words = append(words, Word{Text: flag.text, Mark: flag.mark})
		}
	}
	return words
}

// transitions returns the changes of conditions, readiness first.
func transitions(s *spantree.Span) []Word {
	var first, others []Word
	for _, e := range s.Events {
		kind, change, found := strings.Cut(e.Name, ": ")
		if !found || kind == "" || !strings.Contains(change, "→") {
			continue
		}
		w := Word{Text: e.Name, Mark: MarkState}
		if reason, _ := e.Attributes["operator.condition.reason"].(string); reason != "" {
			w.Text, w.Short = e.Name+" ("+reason+")", e.Name
		}
		if explain.Readiness(kind) {
			first = append(first, w)
			continue
		}
		others = append(others, w)
	}
	return append(first, others...)
}

// causeOf returns the event that triggered a span, with the kind and the name of its object. It is
// empty if the event is unknown, if the tree shows it, or if the span was only requeued.
func causeOf(s, parent *spantree.Span) (event, name string) {
	verb, kind, _ := strings.Cut(Text(s, "operator.reconcile.trigger"), " ")
	name = Text(s, "operator.reconcile.cause.name")
	if known := Text(s, "operator.reconcile.cause.kind"); known != "" {
		kind = known
	}
	if kind == "" {
		return "", ""
	}
	if parent != nil {
		about := Text(parent, "operator.object.kind") == kind && (name == "" || Text(parent, "operator.object.name") == name)
		id, version := Text(s, "operator.reconcile.cause.span_id"), Text(s, "operator.reconcile.cause.resource_version")
		if id == parent.SpanID || about && (verb == "" || verb == "create" || version != "" && version == Text(parent, "operator.write.resource_version")) {
			return "", ""
		}
	}
	return strings.TrimSpace(verb + " " + kind), name
}

// IsWrite reports whether a span is a write of an object, by its writer or by an observer.
func IsWrite(s *spantree.Span) bool {
	role := s.Role()
	return role == spantree.RoleWrite || role == spantree.RoleObserved && Text(s, "k8s.container.name") == ""
}

// Text returns an attribute; empty if it is absent or has another type.
func Text(s *spantree.Span, key string) string {
	value, _ := s.Attributes[key].(string)
	return value
}

// seconds returns an attribute in seconds as a duration; 0 for values that no wait can have.
func seconds(s *spantree.Span, key string) time.Duration {
	value := 0.0
	switch v := s.Attributes[key].(type) {
	case float64:
		value = v
	case int64:
		value = float64(v)
	}
	if !(value > 0 && value < maxWait.Seconds()) { // NaN, too.
		return 0
	}
	return time.Duration(math.Round(value * float64(time.Second)))
}

// maxWait limits waits, so that no sum of durations overflows.
const maxWait = 10 * 365 * 24 * time.Hour

// Wait is a time before a span in which its request waited.
type Wait struct {
	Reason string
	// End is the time from the end of the wait until the start of the span. Duration is 0 if it is
	// unknown.
	End, Duration time.Duration
}

// String returns the reason and the duration.
func (w Wait) String() string {
	if w.Duration == 0 {
		return w.Reason
	}
	return w.Reason + " " + format.Duration(w.Duration)
}

// delays are the reasons of delays, by the reason of the requeue.
var delays = map[string]string{"error": "back-off", "conflict": "conflict back-off", "requeue": "requeue", "requeue_after": "scheduled requeue"}

// Waits returns the waits of a reconcile in their order: its delay, and its time in the queue.
func Waits(s *spantree.Span) []Wait {
	var waits []Wait
	queue, reason := seconds(s, "operator.reconcile.queue_wait"), Text(s, "operator.reconcile.requeue_reason")
	if delay := seconds(s, "operator.reconcile.delay"); delay > 0 || reason != "" {
		waits = append(waits, Wait{cmp.Or(delays[reason], "delay"), queue, delay})
	}
	if queue >= MinWait {
		waits = append(waits, Wait{"queue", 0, queue})
	}
	return waits
}
