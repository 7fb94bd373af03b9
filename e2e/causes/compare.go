package causes

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// Class is a kind of difference between an inferred and a recorded cause.
type Class string

// The classes of misses.
const (
	// Unseen is a write that the observer did not see.
	Unseen Class = "unseen"
	// None is a write without an inferred cause.
	None Class = "none"
	// Echo is a write whose recorded cause is a write of the same loop: the event of its own write was
	// the first in the queue.
	Echo Class = "echo"
	// Newer and Older are causes that are newer and older than the recorded one.
	Newer Class = "newer"
	Older Class = "older"
)

// Miss is a write with a wrong inferred cause.
type Miss struct {
	Class                     Class
	Write, Inferred, Recorded string
}

// Result is a comparison. The zero value compared nothing.
type Result struct {
	// Equal is the number of writes whose inferred cause is the recorded one. Merged is the number
	// of writes whose inferred cause is a later event that the queue merged with the recorded one,
	// so that both caused the reconcile. Misses are the others.
	Equal, Merged int
	Misses        []Miss
	// Unrecorded is the number of writes whose operator recorded no cause, for example after a requeue.
	Unrecorded int
}

// Share returns the share of causes that are equal or merged, from 0 to 1.
func (r Result) Share() float64 { return float64(r.Equal+r.Merged) / float64(max(1, r.Compared())) }

// Compared returns the number of compared writes.
func (r Result) Compared() int { return r.Equal + r.Merged + len(r.Misses) }

func (r Result) count(class Class) (n int) {
	for _, m := range r.Misses {
		if m.Class == class {
			n++
		}
	}
	return n
}

// String lists the shares and the misses by their class.
func (r Result) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d of %d causes are the recorded ones, and %d were merged with them: %.1f %%; %d have no recorded cause\n", r.Equal, r.Compared(), r.Merged, 100*r.Share(), r.Unrecorded)
	byClass := map[Class][]Miss{}
	for _, m := range r.Misses {
		byClass[m.Class] = append(byClass[m.Class], m)
	}
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		fmt.Fprintf(&text, "%s: %d\n", class, len(byClass[class]))
		for _, m := range byClass[class] {
			fmt.Fprintf(&text, "  %s: inferred %s, recorded %s\n", m.Write, m.Inferred, m.Recorded)
		}
	}
	return text.String()
}

// compare compares the inferred causes of observed writes with the recorded ones.
func compare(observed []*writes.Write, all []write) Result {
	byKey := map[string]*writes.Write{}
	for _, w := range observed {
		byKey[keyOf(w)] = w
	}
	made := map[string]reconcile{} // The writes by the resourceVersion after the write.
	for _, r := range all {
		made[r.key] = r.reconcile
	}
	var result Result
	for _, r := range all {
		if r.reconcile.cause == "" {
			result.Unrecorded++
			continue
		}
		w := byKey[r.key]
		if w != nil && causeOf(w) == r.reconcile.cause {
			result.Equal++
			continue
		}
		if w != nil && r.reconcile.merged(w.Cause) {
			result.Merged++
			continue
		}
		m := Miss{Class: classOf(w, r.reconcile, made), Write: r.text + " in reconcile of " + r.reconcile.text, Inferred: "none", Recorded: r.reconcile.trigger + "@" + r.reconcile.cause}
		if w != nil && w.Cause.Certainty != "" {
			m.Inferred = fmt.Sprintf("%s %s %s@%d, %s earlier", w.Cause.Certainty, w.Cause.Verb, w.Cause.Object, w.Cause.Revision, w.At.Sub(w.Cause.At))
		}
		result.Misses = append(result.Misses, m)
	}
	return result
}

// merged reports whether a cause is an event that the queue merged with the recorded one: it is
// later, and arrived before the reconcile started. An operator records the first event and the
// number of events.
func (r reconcile) merged(c writes.Cause) bool {
	return c.Certainty != "" && r.events > 1 && isNewer(fmt.Sprint(c.Revision), r.cause) && !c.At.After(r.start)
}

func classOf(w *writes.Write, r reconcile, made map[string]reconcile) Class {
	own, known := made[r.cause]
	switch {
	case w == nil:
		return Unseen
	case known && own.object == r.object:
		return Echo
	case w.Cause.Certainty == "":
		return None
	case isNewer(causeOf(w), r.cause):
		return Newer
	}
	return Older
}

// isNewer reports whether resourceVersion a is newer than b (KEP-5504).
func isNewer(a, b string) bool { return len(a) > len(b) || len(a) == len(b) && a > b }

func causeOf(w *writes.Write) string {
	if w.Cause.Certainty == "" {
		return ""
	}
	return fmt.Sprint(w.Cause.Revision)
}

// write is a write that an operator recorded, with its reconcile.
type write struct {
	key, text string
	reconcile reconcile
}

// reconcile is a reconcile with the resourceVersion of its cause, which is the first event that
// queued it. It is empty if the operator recorded no cause.
type reconcile struct {
	object, cause, trigger, text string
	start                        time.Time
	events                       int64 // The number of events that the queue merged.
}

// recorded returns the writes of operators that have a reconcile as parent.
func recorded(traces []tracetree.Trace) []write {
	reconciles := map[string]reconcile{}
	var spans []spantree.Span
	for _, t := range traces {
		spans = append(spans, t.Without(observe.Scope).Spans()...)
	}
	for _, s := range spans {
		if strings.HasPrefix(s.Name, "reconcile ") {
			reconciles[s.SpanID] = reconcile{
				object: text(s, "operator.object.uid"), cause: text(s, "operator.reconcile.cause.resource_version"),
				trigger: text(s, "operator.reconcile.trigger"), text: nameOf(s), start: s.Start, events: eventsOf(s),
			}
		}
	}
	var found []write
	for _, s := range spans {
		r, isWrite := reconciles[s.ParentSpanID]
		key := keyOfSpan(s)
		if isWrite && key != "" {
			found = append(found, write{key, s.Name + "@" + key, r})
		}
	}
	return found
}

// keyOf returns the key of a write: its resourceVersion, or the verb and the object if the
// operator's span has no resourceVersion.
func keyOf(w *writes.Write) string {
	if w.Verb == writes.VerbDelete || w.Verb == writes.VerbRemove {
		return w.Verb + " " + w.Object.Kind + " " + w.Object.Name
	}
	return fmt.Sprint(w.After)
}

// keyOfSpan returns the key of an operator's write. It is empty for other spans and for failed
// writes.
func keyOfSpan(s spantree.Span) string {
	if revision := text(s, observe.AttributeAfter); revision != "" {
		return revision
	}
	verb, _, _ := strings.Cut(s.Name, " ")
	failed := s.Status.Code == spantree.StatusError || len(s.Events) > 0
	switch {
	case failed:
		return ""
	case verb == "delete":
		return writes.VerbDelete + " " + nameOf(s)
	case verb == "remove_finalizer":
		return writes.VerbRemove + " " + nameOf(s)
	}
	return ""
}

func eventsOf(s spantree.Span) int64 {
	n, _ := s.Attributes["operator.reconcile.events"].(int64)
	return n
}

func nameOf(s spantree.Span) string {
	return text(s, "operator.object.kind") + " " + text(s, "operator.object.name")
}

func text(s spantree.Span, key string) string {
	value, _ := s.Attributes[key].(string)
	return value
}
