package jaeger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Reader is what waiting for a trace needs of a [Client].
type Reader interface {
	GetTrace(ctx context.Context, traceID string) (Trace, error)
	Services(ctx context.Context) ([]string, error)
}

// WaitComplete reads a trace until it is complete: the expected tree matches, no
// parent is missing, nothing new came for the quiet period, and the object is
// ready. The error is an *[IncompleteError] with the trace as seen last, which is
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
	trace, now.Reading = w.from.GetTrace(ctx, now.TraceID)
	switch {
	case now.Reading == nil:
		spans, parents, quiet = w.lookTrace(&now, trace)
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
func (w *watch) lookTrace(now *Completion, trace Trace) (spans, parents, quiet State) {
	spans, parents, quiet = State{Asked: true}, State{Asked: true}, State{Asked: true}
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
	silence := time.Since(now.LastSpan)
	if quiet.Holds = silence >= w.asked.Quiet || w.settled(trace); !quiet.Holds {
		quiet.Reason = fmt.Sprintf("the last span came %s ago, want %s", silence.Round(time.Millisecond), w.asked.Quiet)
	}
	return spans, parents, quiet
}

// settled tells whether the trace is too old to be still growing.
func (w *watch) settled(trace Trace) bool {
	if w.asked.Settled <= 0 || trace.Len() == 0 {
		return false
	}
	var last pcommon.Timestamp
	for _, e := range trace.elements {
		last = max(last, e.span.EndTimestamp())
	}
	return time.Since(last.AsTime()) > w.asked.Settled
}

func (w *watch) lookReady(ctx context.Context, now *Completion) State {
	if w.asked.Ready == nil {
		return State{}
	}
	state := State{Asked: true}
	state.Holds, now.ReadyState, now.ReadyErr = w.asked.Ready(ctx)
	switch {
	case now.ReadyErr != nil:
		state.Holds, state.Reason = false, now.ReadyErr.Error()
	case !state.Holds:
		state.Reason = now.ReadyState
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
