// Package retrospect reconstructs the trace of an object that was not observed, from what the API
// server still has: creation times, managedFields, the conditions' last transitions, Pod statuses and
// Events. It sends no requests; package retrospect/fetch does.
//
// [Trace] converts each object into the versions that it had, as far as they are known, and passes
// them to an [observe.Observer] in the order of time. So writers, causes and spans follow the same
// rules. Times have a resolution of a second. Within a second the order is: creations from the owners
// down, changes of the desired state, bindings, Events, then statuses from the dependents up. Its
// spans are a microsecond apart, to keep this order.
//
// Only the last write of each manager and the last transition of each condition are known. Deleted
// objects are not. An object without any time is left out.
package retrospect

import (
	"context"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

const (
	// AttributeReconstructed is true for all spans of a reconstructed trace.
	AttributeReconstructed = "operator.observer.reconstructed"
	// AttributeResolution is the resolution of the times of a reconstructed trace, as [Resolution].
	AttributeResolution = "operator.observer.resolution"
	// AttributeUnread has the kinds that the user may not read, separated by commas. One span of a trace
	// has it, if there are any.
	AttributeUnread = "operator.observer.unread"
	// AttributeTruncated is true if there are more objects or Events than are read. One span of a
	// trace has it then.
	AttributeTruncated = "operator.observer.truncated"
	// Resolution is the resolution of the times.
	Resolution = "1s"
	// eventDelay is how long after a write an Event can be about it.
	eventDelay = 5 * time.Second
	// maxPoints is the number of writes and Events of a trace. Later ones are left out.
	maxPoints = 100_000
)

// Trace returns the trace of the last change of an object's desired state. objects has the object, its
// owners and its dependents; events has their Events. They are not changed. The result has no spans if
// no time of the object is known.
func Trace(target types.UID, objects, events []*unstructured.Unstructured) ptrace.Traces {
	f := newFamily(objects)
	points := f.points(events)
	r := &reconstruction{family: f, spans: ptrace.NewTraces(), revisions: map[string]string{}}
	observer := observe.New(observe.Options{Alone: true, ExportDelay: eventDelay, Export: r.keep, Wrote: r.wrote(target)})
	ctx := context.Background() // keep uses none, and never fails.
	for _, p := range points {
		observer.Add(p.change)
		observer.Advance(ctx, p.change.At.Add(time.Second)) // A second is more than an observer waits for other writes.
		if p.last != "" {
			r.revisions[p.change.Object.GetResourceVersion()] = p.last
		}
	}
	if len(points) == 0 {
		return r.spans
	}
	observer.Flush(ctx, points[len(points)-1].change.At)
	r.finish()
	return r.spans
}

// reconstruction collects the spans of one trace.
type reconstruction struct {
	family *family
	spans  ptrace.Traces
	// chosen is the trace of the last change by a user, and latest the trace of the target's last write.
	chosen, latest trace.TraceID
	// revisions has the resourceVersions of the writes that are known, by the made-up ones.
	revisions map[string]string
}

func (r *reconstruction) keep(_ context.Context, all ptrace.Traces) error {
	all.ResourceSpans().MoveAndAppendTo(r.spans.ResourceSpans())
	return nil
}

// wrote chooses the trace: the last one that starts with a change of the target or its owners.
func (r *reconstruction) wrote(target types.UID) func(*writes.Write) {
	chain := r.family.ancestors(target)
	generations := map[types.UID]int64{}
	return func(w *writes.Write) {
		uid := w.Object.UID
		raised := w.Generation == 0 || w.Generation > generations[uid] || w.Verb == writes.VerbDelete
		generations[uid] = w.Generation
		if chain[uid] && w.ByUser() && raised && (w.Manager == "" || !r.family.controllers[w.Manager]) {
			r.chosen = w.Span.TraceID()
		}
		if uid == target {
			r.latest = w.Span.TraceID()
		}
	}
}

// finish removes the spans of other traces, and marks the others.
func (r *reconstruction) finish() {
	if !r.chosen.IsValid() {
		r.chosen = r.latest
	}
	r.spans.ResourceSpans().RemoveIf(func(resource ptrace.ResourceSpans) bool {
		left := 0
		for _, scope := range resource.ScopeSpans().All() {
			scope.Spans().RemoveIf(func(s ptrace.Span) bool { return trace.TraceID(s.TraceID()) != r.chosen })
			for _, s := range scope.Spans().All() {
				r.mark(s)
			}
			left += scope.Spans().Len()
		}
		return left == 0
	})
}

func (r *reconstruction) mark(s ptrace.Span) {
	attributes := s.Attributes()
	attributes.PutBool(AttributeReconstructed, true)
	attributes.PutStr(AttributeResolution, Resolution)
	attributes.Remove(observe.AttributeBefore)
	for _, key := range []string{observe.AttributeAfter, "operator.reconcile.cause.resource_version"} {
		if value, found := attributes.Get(key); !found {
			continue
		} else if known := r.revisions[value.Str()]; known != "" {
			attributes.PutStr(key, known)
		} else {
			attributes.Remove(key)
		}
	}
}

// point is a write or an Event.
type point struct {
	at     time.Time
	phase  phase
	depth  int
	name   string // orders points that nothing else orders
	number int    // the same within one object
	change writes.Change
	last   string // the real resourceVersion, if the write is the object's last one
}

// phase orders the points of one second.
type phase int

const (
	phaseCreate phase = iota
	phaseDesired
	phaseBind
	phaseEvent
	phaseStatus
	phaseDelete
)

// points returns the writes and Events in their order, with made-up resourceVersions.
func (f *family) points(events []*unstructured.Unstructured) []point {
	var all []point
	for _, m := range f.members {
		all = append(all, m.points()...)
	}
	all = append(all, f.eventPoints(events)...)
	slices.SortStableFunc(all, comparePoints)
	all = all[:min(len(all), maxPoints)]
	offset := time.Duration(0)
	for i := range all {
		p := &all[i]
		if offset += time.Microsecond; i == 0 || !p.at.Equal(all[i-1].at) {
			offset = 0
		}
		p.change.At = p.at.Add(offset)
		p.change.Object.SetResourceVersion(strconv.Itoa(i + 1))
	}
	return all
}
