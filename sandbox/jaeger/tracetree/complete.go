package tracetree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

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
	w := &watch{from: from, asked: conditions.withDefaults(), completion: Completion{TraceID: traceID, Begun: time.Now()}}
	ctx, cancel := context.WithTimeout(ctx, w.asked.Timeout)
	defer cancel()
	var refused error
	err := wait.PollUntilContextCancel(ctx, w.asked.Poll, true, func(ctx context.Context) (bool, error) {
		var seen Completion
		seen, refused = w.look(ctx)
		// Ignore an interrupted poll, which contains no information about the trace.
		if !interrupted(ctx, seen.Reading) || w.completion.States == nil {
			w.completion = seen
		}
		return w.completion.Complete(), refused
	})
	w.completion.Waited = time.Since(w.completion.Begun)
	if err != nil && refused == nil {
		err = &IncompleteError{Completion: w.completion, Cause: ctx.Err()}
	}
	return w.completion, err
}

type watch struct {
	from  Reader
	asked Conditions
	// completion is the result of the last poll that was not interrupted.
	completion Completion
	// lastSpan is when the spans last changed; zero if the trace never had one.
	lastSpan time.Time
	// readiness is the readiness at the last poll, and readyAt the time of the first poll since
	// which the object has been ready; zero if it is not ready.
	readiness Readiness
	readyAt   time.Time
}

// look reads the trace once and evaluates the conditions. It returns an error that retries cannot
// resolve.
func (w *watch) look(ctx context.Context) (now Completion, refused error) {
	now = w.completion
	now.Services = nil
	// Check readiness first. The spans that made the object ready are then in the trace, or arrive
	// in the quiet period.
	ready := w.lookReady(ctx)
	spans, parents, quiet := State{Asked: true}, State{}, State{}
	var trace Trace
	trace, now.Reading = ReadTree(ctx, w.from, now.TraceID)
	switch {
	case now.Reading == nil:
		spans, parents = w.lookTrace(&now, trace)
		quiet = w.lookQuiet(trace, ready)
	case Retryable(ctx, now.Reading):
		spans.Reason = w.whyNoTrace(ctx, &now)
	default:
		spans.Reason, refused = now.Reading.Error(), now.Reading
	}
	now.States = []State{spans, parents, quiet, ready}
	for i := range now.States {
		state := &now.States[i]
		state.Condition = conditions[i]
		if state.Holds {
			state.Since = cmp.Or(w.completion.State(state.Condition).Since, time.Now())
		}
	}
	return now, refused
}

func (w *watch) lookTrace(now *Completion, trace Trace) (spans, parents State) {
	spans.Asked = true
	// A finished span does not change, so compare only the ids.
	if w.lastSpan.IsZero() || !slices.Equal(spanIDs(now.Trace), spanIDs(trace)) {
		w.lastSpan = time.Now()
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
	return spans, State{Asked: true, Holds: len(now.Defective) == 0, Reason: describe(now.Defective)}
}

// lookQuiet evaluates the quiet period. It starts at the last span or when the object became ready,
// because the spans of the last steps arrive afterwards.
func (w *watch) lookQuiet(trace Trace, ready State) State {
	quiet := State{Asked: true}
	start, since := w.lastSpan, "the last span arrived"
	if ready.Holds && w.readyAt.After(start) {
		start, since = w.readyAt, "the object became ready"
	}
	silence := time.Since(start)
	if quiet.Holds = silence >= w.asked.Quiet || w.settled(trace); !quiet.Holds {
		quiet.Reason = fmt.Sprintf("%s %s ago, want %s", since, silence.Round(time.Millisecond), w.asked.Quiet)
	}
	return quiet
}

func (w *watch) settled(trace Trace) bool {
	if w.asked.Settled <= 0 || trace.Len() == 0 || w.asked.Ready != nil && w.readiness.Since.IsZero() {
		return false
	}
	return min(time.Since(w.readiness.Since), time.Since(trace.End())) > w.asked.Settled
}

func (w *watch) lookReady(ctx context.Context) State {
	if w.asked.Ready == nil {
		return State{}
	}
	var err error
	w.readiness, err = w.asked.Ready(ctx)
	state := State{Asked: true, Holds: w.readiness.Ready && err == nil}
	switch {
	case state.Holds:
		w.readyAt = cmp.Or(w.readyAt, time.Now())
		return state
	case err != nil:
		state.Reason = err.Error()
	default:
		state.Reason = w.readiness.State
	}
	w.readyAt = time.Time{}
	return state
}

// whyNoTrace describes an error of reading. If the trace was not found, it adds the services in
// Jaeger, to distinguish a missing exporter from a wrong trace id.
func (w *watch) whyNoTrace(ctx context.Context, now *Completion) string {
	err := now.Reading
	if !errors.Is(err, ErrNotFound) {
		return err.Error()
	}
	services, listing := w.from.Services(ctx)
	now.Services = services
	switch {
	case listing != nil:
		return err.Error()
	case len(services) == 0:
		return err.Error() + "; Jaeger has no services; check that the exporter sends to it"
	}
	return fmt.Sprintf("%v; Jaeger has other traces of the services %s", err, strings.Join(services, ", "))
}

func describe(defective []*spantree.Node) string {
	var parts []string
	for _, n := range defective {
		parts = append(parts, fmt.Sprintf("%s: %s of span %s (parent %s)", n.Span.Name, n.Defect, n.Span.SpanID, n.Span.ParentSpanID))
	}
	return strings.Join(parts, "; ")
}

func spanIDs(t Trace) []string {
	ids := make([]string, 0, len(t.elements))
	for _, e := range t.elements {
		ids = append(ids, e.span.SpanID().String())
	}
	slices.Sort(ids)
	return ids
}
