package view

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
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
	markFailure  = "✗"
	markConflict = "≠"
	markRequest  = "!"
	markRequeue  = "↻"
	markSame     = "="
	markState    = "●"
	markCause    = "←"
	markWait     = "…"
	markUnknown  = "?"
	markTrace    = "⇢"
)

// markTexts are the meanings of the marks, in the order of a legend.
var markTexts = []struct{ mark, text string }{
	{markFailure, "failure"}, {markConflict, "conflict"}, {markRequest, "other response"}, {markRequeue, "requeue or retry"}, {markSame, "unchanged"},
	{markState, "condition"}, {markCause, "cause"}, {markWait, "wait"}, {markUnknown, "unknown"}, {markTrace, "another trace"},
}

// minWait is the shortest wait in words.
const minWait = time.Millisecond

// eventWords are the events of requests that have words.
var eventWords = map[string]Word{
	"conflict": {Text: "conflict", Mark: markConflict, Bad: true}, "already_exists": {Text: "already exists", Mark: markRequest, Bad: true},
	"not_found": {Text: "not found", Mark: markRequest}, "denied": {Text: "denied", Mark: markFailure, Bad: true}, "stale_read": {Text: "stale read", Mark: markRequest},
}

// readiness are the conditions of a ready object, which come first.
var readiness = []string{"Ready", "Available", "Complete", "Established", "Succeeded"}

// wordsOf returns the words of a span. The parent is nil for a root.
func wordsOf(s, parent *spantree.Span) []Word {
	var words []Word
	add := func(w Word) {
		w.Text, w.Short = Escape(w.Text), Escape(w.Short)
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
		add(Word{strings.TrimSuffix("← "+event+"/"+name, "/"), "← " + event, markCause, false})
	}
	for _, wait := range []struct{ key, text string }{
		{"operator.reconcile.read_wait", "read-your-own-writes wait "}, {"operator.reconcile.rate_limiter_wait", "rate limiter "}, {"operator.write.rate_limiter_wait", "rate limiter "},
	} {
		if d := seconds(s, wait.key); d >= minWait {
			add(Word{Text: wait.text + FormatDuration(d), Mark: markWait})
		}
	}
	return words
}

// outcome returns words about the result of a reconcile or write.
func outcome(s *spantree.Span) []Word {
	var words []Word
	switch result := text(s, "operator.reconcile.result"); result {
	case "", "success":
	case "error":
		conflict := func(e spantree.Event) bool { return e.Name == "conflict" }
		if s.Code() != spantree.StatusError && !slices.ContainsFunc(s.Events, conflict) {
			words = append(words, Word{Text: "error", Mark: markFailure, Bad: true})
		}
	case "requeue_after":
		after := "requeue after"
		if d := seconds(s, "operator.reconcile.requeue_after"); d > 0 {
			after += " " + FormatDuration(d)
		}
		words = append(words, Word{Text: after, Mark: markRequeue})
	case "requeue":
		words = append(words, Word{Text: result, Mark: markRequeue})
	default:
		words = append(words, Word{Text: strings.ReplaceAll(result, "_", " "), Mark: markFailure, Bad: true})
	}
	if attempt, found := s.Attributes["operator.reconcile.attempt"]; found {
		if number := spantree.FormatValue(attempt); number != "1" {
			words = append(words, Word{Text: "attempt " + number, Mark: markRequeue})
		}
	}
	for _, flag := range []struct{ key, text, mark string }{
		{"operator.write.unchanged", "unchanged", markSame}, {"operator.observer.lost", "versions lost", markUnknown}, {"operator.observer.unfinished", "unfinished", markUnknown},
	} {
		if s.Attributes[flag.key] == true {
			words = append(words, Word{Text: flag.text, Mark: flag.mark})
		}
	}
	return words
}

// transitions returns the changes of conditions, those of readiness first.
func transitions(s *spantree.Span) []Word {
	var first, others []Word
	for _, e := range s.Events {
		kind, change, found := strings.Cut(e.Name, ": ")
		if !found || kind == "" || !strings.Contains(change, "→") {
			continue
		}
		w := Word{Text: e.Name, Mark: markState}
		if reason, _ := e.Attributes["operator.condition.reason"].(string); reason != "" {
			w.Text, w.Short = e.Name+" ("+reason+")", e.Name
		}
		if slices.Contains(readiness, kind) {
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
	verb, kind, _ := strings.Cut(text(s, "operator.reconcile.trigger"), " ")
	name = text(s, "operator.reconcile.cause.name")
	if known := text(s, "operator.reconcile.cause.kind"); known != "" {
		kind = known
	}
	if kind == "" {
		return "", ""
	}
	if parent != nil {
		about := text(parent, "operator.object.kind") == kind && (name == "" || text(parent, "operator.object.name") == name)
		id, version := text(s, "operator.reconcile.cause.span_id"), text(s, "operator.reconcile.cause.resource_version")
		if id == parent.SpanID || about && (verb == "" || verb == "create" || version != "" && version == text(parent, "operator.write.resource_version")) {
			return "", ""
		}
	}
	return strings.TrimSpace(verb + " " + kind), name
}

// isWrite reports whether a span is a write of an object, by its writer or by an observer.
func isWrite(s *spantree.Span) bool {
	verb, _, _ := strings.Cut(s.Name, " ")
	switch {
	case text(s, "operator.object.kind") == "":
		return false
	case s.Attributes["operator.observed"] == true:
		return text(s, "k8s.container.name") == ""
	}
	return (s.Kind == spantree.KindClient || s.Kind == spantree.KindProducer) && verb != "get" && verb != "list" && !strings.HasPrefix(verb, "get_")
}

// text returns an attribute; empty if it is absent or has another type.
func text(s *spantree.Span, key string) string {
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
