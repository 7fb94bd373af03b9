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

// Defaults of [Conditions].
const (
	DefaultQuiet        = time.Second
	DefaultPoll         = 100 * time.Millisecond
	DefaultCompleteWait = time.Minute
)

// Reader is what waiting for a trace needs of a [Client].
type Reader interface {
	GetTrace(ctx context.Context, traceID string) (Trace, error)
	Services(ctx context.Context) ([]string, error)
}

// Conditions say when a trace is complete. The zero value asks for at least one
// span, no missing parents and a quiet second, within a minute.
type Conditions struct {
	// Tree is the expected tree; nil asks for one span only.
	Tree *spantree.Tree
	// Ready reports whether the object that the trace is about is ready, and
	// words its state, for an error. It is called at every poll, never by two
	// goroutines at a time. An error counts as not ready. Nil leaves it out.
	Ready func(context.Context) (ready bool, state string, err error)
	// Quiet is how long no new span came; 0 is DefaultQuiet.
	Quiet time.Duration
	// Settled spares an old trace the quiet period: one whose last span ended longer ago than this. It must be longer than
	// spans take to Jaeger, and the clocks must be one. 0 leaves it out.
	Settled time.Duration
	// Poll is the time between two looks; 0 is DefaultPoll.
	Poll time.Duration
	// Timeout bounds the whole wait; 0 is DefaultCompleteWait. The context bounds
	// it too.
	Timeout time.Duration
}

// Condition is one of the four conditions of a complete trace.
type Condition string

// The conditions. The first is about the expected tree where there is one.
const (
	ConditionSpans   Condition = "expected spans"
	ConditionParents Condition = "no missing parents"
	ConditionQuiet   Condition = "quiet period"
	ConditionReady   Condition = "object ready"
)

// Failure is a condition that does not hold, and why.
type Failure struct {
	Condition Condition
	Reason    string
}

// IncompleteError says why a trace was not complete when the time was over.
type IncompleteError struct {
	TraceID string
	// Trace is what was seen last; without spans where nothing was.
	Trace Trace
	// Failures has at least one element.
	Failures []Failure
	// Result is the comparison with the expected tree; nil without one.
	Result *spantree.Result
	// Waited is how long it took.
	Waited time.Duration
	// Cause is the end of the context.
	Cause error
}

// Error names the conditions that failed, and shows the trees.
func (e *IncompleteError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "waiting for trace %s to be complete: gave up after %s (%v): %d of 4 conditions failed",
		e.TraceID, e.Waited.Round(time.Millisecond), e.Cause, len(e.Failures))
	for _, f := range e.Failures {
		fmt.Fprintf(&b, "\n%s: %s", f.Condition, f.Reason)
	}
	switch {
	case e.Result != nil && !e.Result.OK():
		b.WriteString("\n" + e.Result.Explain())
	case e.Trace.Len() > 0:
		b.WriteString("\nthe trace as seen last:\n" + e.Trace.Forest().String())
	}
	return strings.TrimRight(b.String(), "\n")
}

// Unwrap gives the end of the context.
func (e *IncompleteError) Unwrap() error { return e.Cause }

// WaitComplete reads a trace until it is complete: the expected tree matches, no
// parent is missing, nothing new came for the quiet period, and the object is
// ready. The error is an *[IncompleteError] with the trace as seen last, which is
// also returned. A Jaeger that can't be reached is asked again until the time is
// over.
func WaitComplete(ctx context.Context, from Reader, traceID string, conditions Conditions) (Trace, error) {
	w := &completion{from: from, traceID: traceID, conditions: conditions.withDefaults(), begun: time.Now()}
	w.changed = w.begun
	ctx, cancel := context.WithTimeout(ctx, w.conditions.Timeout)
	defer cancel()
	ticker := time.NewTicker(w.conditions.Poll)
	defer ticker.Stop()
	for {
		failures, err := w.look(ctx)
		if err != nil {
			return w.trace, err
		}
		if len(failures) == 0 {
			return w.trace, nil
		}
		// What an interrupted look saw says nothing about the trace.
		if ctx.Err() == nil {
			w.failures = failures
		}
		select {
		case <-ctx.Done():
			return w.trace, w.incomplete(ctx.Err(), failures)
		case <-ticker.C:
		}
	}
}

func (c Conditions) withDefaults() Conditions {
	if c.Quiet <= 0 {
		c.Quiet = DefaultQuiet
	}
	if c.Poll <= 0 {
		c.Poll = DefaultPoll
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultCompleteWait
	}
	return c
}

// completion is the state of one WaitComplete.
type completion struct {
	from       Reader
	traceID    string
	conditions Conditions
	begun      time.Time
	// trace is what was read last, and changed when its spans last did.
	trace   Trace
	changed time.Time
	// failures are those of the last look that wasn't interrupted.
	failures []Failure
	result   *spantree.Result
}

// look reads the trace once and lists the conditions that fail. The error is for
// what waiting can't change.
func (w *completion) look(ctx context.Context) ([]Failure, error) {
	// Readiness first: spans that made the object ready are then in the trace,
	// or come within the quiet period.
	failures := w.checkReady(ctx)
	trace, err := w.from.GetTrace(ctx, w.traceID)
	switch {
	case err == nil:
		if !sameSpans(w.trace, trace) {
			w.changed = time.Now()
		}
		w.trace = trace
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrUnreachable), errors.Is(err, ErrTruncated), ctx.Err() != nil:
		return append(failures, Failure{ConditionSpans, w.whyNoTrace(ctx, err)}), nil
	default:
		return nil, err
	}
	forest := trace.Forest()
	if w.conditions.Tree != nil {
		w.result = spantree.Match(w.conditions.Tree, forest)
		if !w.result.OK() {
			failures = append(failures, Failure{ConditionSpans, fmt.Sprintf("%d differences, listed below", len(w.result.Differences()))})
		}
	}
	if defective := forest.Defective(); len(defective) > 0 {
		failures = append(failures, Failure{ConditionParents, describe(defective)})
	}
	if quiet := time.Since(w.changed); quiet < w.conditions.Quiet && !w.settled() {
		failures = append(failures, Failure{ConditionQuiet, fmt.Sprintf("the last span came %s ago, want %s", quiet.Round(time.Millisecond), w.conditions.Quiet)})
	}
	return failures, nil
}

// settled tells whether the trace is too old to be still growing.
func (w *completion) settled() bool {
	if w.conditions.Settled <= 0 || w.trace.Len() == 0 {
		return false
	}
	var last time.Time
	for _, span := range w.trace.Spans() {
		if span.End.After(last) {
			last = span.End
		}
	}
	return time.Since(last) > w.conditions.Settled
}

func (w *completion) checkReady(ctx context.Context) []Failure {
	if w.conditions.Ready == nil {
		return nil
	}
	ready, state, err := w.conditions.Ready(ctx)
	switch {
	case err != nil:
		return []Failure{{ConditionReady, err.Error()}}
	case !ready:
		return []Failure{{ConditionReady, state}}
	}
	return nil
}

// whyNoTrace words an error of reading. Whether Jaeger knows any service tells
// spans that never arrived from those of another trace.
func (w *completion) whyNoTrace(ctx context.Context, err error) string {
	if !errors.Is(err, ErrNotFound) {
		return err.Error()
	}
	services, listing := w.from.Services(ctx)
	switch {
	case listing != nil:
		return err.Error()
	case len(services) == 0:
		return err.Error() + "; Jaeger has no service at all: is anything exporting to it?"
	}
	return fmt.Sprintf("%v; Jaeger has other traces, of the services %s", err, strings.Join(services, ", "))
}

func (w *completion) incomplete(cause error, failures []Failure) error {
	if w.failures != nil {
		failures = w.failures
	}
	return &IncompleteError{TraceID: w.traceID, Trace: w.trace, Failures: failures, Result: w.result, Waited: time.Since(w.begun), Cause: cause}
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

func spanIDs(t Trace) []uint64 {
	ids := make([]uint64, 0, len(t.spans))
	for _, s := range t.spans {
		ids = append(ids, uint64(s.SpanID))
	}
	slices.Sort(ids)
	return ids
}
