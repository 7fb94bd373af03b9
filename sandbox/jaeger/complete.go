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

// Reader is the part of a [Client] that waiting for a trace requires.
type Reader interface {
	GetTrace(ctx context.Context, traceID string) (Trace, error)
	Services(ctx context.Context) ([]string, error)
}

// WaitComplete reads a trace until it is complete: the expected tree matches, no parent is missing,
// no new span arrived in the quiet period, and the object is ready. Its continuations are part of
// it, see [ReadTree]. After a timeout, WaitComplete returns the last read trace and an
// *[IncompleteError]. It retries if Jaeger is unreachable, but not if Jaeger refuses the request.
func WaitComplete(ctx context.Context, from Reader, traceID string, conditions Conditions) (Trace, error) {
	completion, err := Complete(ctx, from, traceID, conditions)
	return completion.Trace, err
}

// Complete is like [WaitComplete], but also returns when each condition became true.
func Complete(ctx context.Context, from Reader, traceID string, conditions Conditions) (Completion, error) {
	w := newWatch(from, traceID, conditions.withDefaults())
	ctx, cancel := context.WithTimeout(ctx, w.asked.Timeout)
	defer cancel()
	ticker := time.NewTicker(w.asked.Poll)
	defer ticker.Stop()
	for {
		seen, err := w.look(ctx)
		// Ignore an interrupted poll, which contains no information about the trace.
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
	// completion is the result of the last poll that was not interrupted.
	completion Completion
	// readiness is the readiness at the last poll, and readyAt the time of the first poll since
	// which the object has been ready; zero if it is not ready.
	readiness Readiness
	readyAt   time.Time
}

func newWatch(from Reader, traceID string, asked Conditions) *watch {
	return &watch{from: from, asked: asked, completion: Completion{TraceID: traceID, Begun: time.Now()}}
}

// look reads the trace once and evaluates the conditions. It returns an error that retries cannot
// resolve.
func (w *watch) look(ctx context.Context) (Completion, error) {
	before := w.completion
	now := Completion{
		TraceID: before.TraceID, Begun: before.Begun, Trace: before.Trace, Result: before.Result, Defective: before.Defective,
		FirstSpan: before.FirstSpan, LastSpan: before.LastSpan,
	}
	// Check readiness first. The spans that made the object ready are then in the trace, or arrive
	// in the quiet period.
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

// passing reports whether a retry can resolve an error of reading.
func passing(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrTruncated)
}

// since sets the names of the states and the times at which they became true.
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

// lookTrace evaluates the conditions on spans and parents.
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

// lookQuiet evaluates the quiet period. It starts at the last span or when the object became ready,
// because the spans of the last steps arrive afterwards.
func (w *watch) lookQuiet(now Completion, ready State) State {
	quiet := State{Asked: true}
	start, since := now.LastSpan, "the last span arrived"
	if ready.Holds && w.readyAt.After(start) {
		start, since = w.readyAt, "the object became ready"
	}
	silence := time.Since(start)
	if quiet.Holds = silence >= w.asked.Quiet || w.settled(now.Trace); !quiet.Holds {
		quiet.Reason = fmt.Sprintf("%s %s ago, want %s", since, silence.Round(time.Millisecond), w.asked.Quiet)
	}
	return quiet
}

// settled reports whether the trace and its object are older than Conditions.Settled.
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

// whyNoTrace describes an error of reading. If the trace was not found, it adds the services in
// Jaeger, to distinguish a missing exporter from a wrong trace id.
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
		return err.Error() + "; Jaeger has no services; check that the exporter sends to it"
	}
	return fmt.Sprintf("%v; Jaeger has other traces of the services %s", err, strings.Join(now.Services, ", "))
}

func describe(defective []*spantree.Node) string {
	var parts []string
	for _, n := range defective {
		parts = append(parts, fmt.Sprintf("%s: %s of span %s (parent %s)", n.Span.Name, n.Defect, n.Span.SpanID, n.Span.ParentSpanID))
	}
	return strings.Join(parts, "; ")
}

// sameSpans compares by ids, because a finished span does not change.
func sameSpans(a, b Trace) bool { return slices.Equal(spanIDs(a), spanIDs(b)) }

func spanIDs(t Trace) []string {
	ids := make([]string, 0, len(t.elements))
	for _, e := range t.elements {
		ids = append(ids, e.span.SpanID().String())
	}
	slices.Sort(ids)
	return ids
}
