package jaeger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Reader is what waiting for a trace needs of a [Client].
type Reader interface {
	GetTrace(ctx context.Context, traceID string) (Trace, error)
	Services(ctx context.Context) ([]string, error)
}

// WaitComplete reads a trace until it is complete: the expected tree matches, no
// parent is missing, nothing new came for the quiet period, and the object is
// ready. The traces that continue it are part of it, see [ReadTree]. The error is an *[IncompleteError] with the trace as seen last, which is
// also returned. A Jaeger that can't be reached is asked again until the time is
// over; one that refuses is not.
func WaitComplete(ctx context.Context, from Reader, traceID string, conditions Conditions) (Trace, error) {
	completion, err := Complete(ctx, from, traceID, conditions)
	return completion.Trace, err
}

// Complete is [WaitComplete] that also tells, of a trace that became complete
// too, when each condition began to hold.
func Complete(ctx context.Context, from Reader, traceID string, conditions Conditions) (Completion, error) {
	w := newWatch(from, traceID, conditions.withDefaults())
	ctx, cancel := context.WithTimeout(ctx, w.asked.Timeout)
	defer cancel()
	ticker := time.NewTicker(w.asked.Poll)
	defer ticker.Stop()
	for {
		seen, err := w.look(ctx)
		// What an interrupted look saw says nothing about the trace.
		if !interrupted(ctx, seen.Reading) || w.completion.States == nil {
			w.completion = seen
		}
		w.completion.Waited = time.Since(w.completion.Begun)
		if err != nil || w.completion.Complete() {
			return w.completion, err
		}
		select {
		case <-ctx.Done():
			w.completion.Waited = time.Since(w.completion.Begun)
			return w.completion, &IncompleteError{Completion: w.completion, Failures: w.completion.Failures(), Cause: ctx.Err()}
		case <-ticker.C:
		}
	}
}

// watch is the state of one wait.
type watch struct {
	from  Reader
	asked Conditions
	// completion is what the last look saw that wasn't interrupted.
	completion Completion
	// readiness is what the last look saw of the object, and readyAt since when looks saw it ready; zero where it isn't.
	readiness Readiness
	readyAt   time.Time
}

func newWatch(from Reader, traceID string, asked Conditions) *watch {
	return &watch{from: from, asked: asked, completion: Completion{TraceID: traceID, Begun: time.Now()}}
}

// look reads the trace once and tells which conditions hold. The error is for
// what waiting can't change.
func (w *watch) look(ctx context.Context) (Completion, error) {
	before := w.completion
	now := Completion{
		TraceID: before.TraceID, Begun: before.Begun, Trace: before.Trace, Result: before.Result, Defective: before.Defective,
		FirstSpan: before.FirstSpan, LastSpan: before.LastSpan,
	}
	// Readiness first: spans that made the object ready are then in the trace,
	// or come within the quiet period.
	ready := w.lookReady(ctx, &now)
	spans, parents, quiet := State{Asked: true}, State{}, State{}
	var trace Trace
	trace, now.Reading = ReadTree(ctx, w.from, now.TraceID)
	switch {
	case now.Reading == nil:
		spans, parents = w.lookTrace(&now, trace)
		quiet = w.lookQuiet(now, ready)
	case interrupted(ctx, now.Reading), passing(now.Reading):
		spans.Reason = w.whyNoTrace(ctx, &now)
	default:
		spans.Reason = now.Reading.Error()
		now.States = since(before, []State{spans, parents, quiet, ready})
		return now, now.Reading
	}
	now.States = since(before, []State{spans, parents, quiet, ready})
	return now, nil
}

// passing tells errors of reading that waiting can change.
func passing(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrTruncated)
}

// since completes the states: their names, and the times at which they became true.
func since(before Completion, states []State) []State {
	for i := range states {
		states[i].Condition = conditions[i]
		if !states[i].Holds {
			continue
		}
		states[i].Since = time.Now()
		if was := before.State(conditions[i]); was.Holds {
			states[i].Since = was.Since
		}
	}
	return states
}

// lookTrace compares a trace that was read with what is asked for.
func (w *watch) lookTrace(now *Completion, trace Trace) (spans, parents State) {
	spans, parents = State{Asked: true}, State{Asked: true}
	if now.FirstSpan.IsZero() {
		now.FirstSpan = time.Now()
	}
	if now.LastSpan.IsZero() || !sameSpans(now.Trace, trace) {
		now.LastSpan = time.Now()
	}
	now.Trace = trace
	forest := trace.Forest()
	if spans.Holds = trace.Len() > 0; !spans.Holds {
		spans.Reason = "the trace has no span"
	}
	if w.asked.Tree != nil {
		now.Result = spantree.Match(w.asked.Tree, forest)
		if spans.Holds = now.Result.OK(); !spans.Holds {
			spans.Reason = fmt.Sprintf("%d differences, listed below", len(now.Result.Differences()))
		}
	}
	now.Defective = forest.Defective()
	if parents.Holds = len(now.Defective) == 0; !parents.Holds {
		parents.Reason = describe(now.Defective)
	}
	return spans, parents
}

// lookQuiet tells whether the trace still grows. The spans of what made the object ready come after it is, and a trace may have
// been silent for long before.
func (w *watch) lookQuiet(now Completion, ready State) State {
	quiet := State{Asked: true}
	begun, since := now.LastSpan, "the last span came"
	if ready.Holds && w.readyAt.After(begun) {
		begun, since = w.readyAt, "the object is ready since"
	}
	silence := time.Since(begun)
	if quiet.Holds = silence >= w.asked.Quiet || w.settled(now.Trace); !quiet.Holds {
		quiet.Reason = fmt.Sprintf("%s %s ago, want %s", since, silence.Round(time.Millisecond), w.asked.Quiet)
	}
	return quiet
}

// settled tells whether the trace and its object are too old for it to be still growing.
func (w *watch) settled(trace Trace) bool {
	if w.asked.Settled <= 0 || trace.Len() == 0 || w.asked.Ready != nil && w.readiness.Since.IsZero() {
		return false
	}
	last := w.readiness.Since
	if end := trace.End(); end.After(last) {
		last = end
	}
	return time.Since(last) > w.asked.Settled
}

func (w *watch) lookReady(ctx context.Context, now *Completion) State {
	if w.asked.Ready == nil {
		return State{}
	}
	state := State{Asked: true}
	w.readiness, now.ReadyErr = w.asked.Ready(ctx)
	now.ReadyState, state.Holds = w.readiness.State, w.readiness.Ready && now.ReadyErr == nil
	switch {
	case now.ReadyErr != nil:
		state.Reason = now.ReadyErr.Error()
	case !state.Holds:
		state.Reason = now.ReadyState
	}
	switch {
	case !state.Holds:
		w.readyAt = time.Time{}
	case w.readyAt.IsZero():
		w.readyAt = time.Now()
	}
	return state
}

// whyNoTrace words an error of reading. Whether Jaeger knows any service tells
// spans that never arrived from those of another trace.
func (w *watch) whyNoTrace(ctx context.Context, now *Completion) string {
	err := now.Reading
	if !errors.Is(err, ErrNotFound) {
		return err.Error()
	}
	now.Services, now.ServicesErr = w.from.Services(ctx)
	switch {
	case now.ServicesErr != nil:
		return err.Error()
	case len(now.Services) == 0:
		return err.Error() + "; Jaeger has no service at all: is anything exporting to it?"
	}
	return fmt.Sprintf("%v; Jaeger has other traces, of the services %s", err, strings.Join(now.Services, ", "))
}

func describe(defective []*spantree.Node) string {
	var parts []string
	for _, n := range defective {
		parts = append(parts, fmt.Sprintf("%s: %s of span %s (parent %s)", n.Span.Name, n.Defect, n.Span.SpanID, n.Span.ParentSpanID))
	}
	return strings.Join(parts, "; ")
}

// sameSpans compares by ids: a finished span doesn't change.
func sameSpans(a, b Trace) bool { return slices.Equal(spanIDs(a), spanIDs(b)) }

func spanIDs(t Trace) []string {
	ids := make([]string, 0, len(t.elements))
	for _, e := range t.elements {
		ids = append(ids, e.span.SpanID().String())
	}
	slices.Sort(ids)
	return ids
}
