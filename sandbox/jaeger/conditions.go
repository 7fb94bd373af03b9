package jaeger

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Defaults of [Conditions].
const (
	DefaultQuiet        = time.Second
	DefaultPoll         = 100 * time.Millisecond
	DefaultCompleteWait = time.Minute
)

// Conditions say when a trace is complete. The zero value asks for at least one
// span, no missing parents and a quiet second, within a minute.
type Conditions struct {
	// Tree is the expected tree; nil asks for one span only.
	Tree *spantree.Tree
	// Ready reports whether the object that the trace is about is ready. It is
	// called at every poll, never by two goroutines at a time. An error counts as
	// not ready. Nil leaves it out.
	Ready func(context.Context) (Readiness, error)
	// Quiet is how long no new span came since the object was ready: what made it
	// so has spans, too. 0 is DefaultQuiet.
	Quiet time.Duration
	// Settled spares an old trace the quiet period: one whose last span ended, and whose object came to be as it is, longer ago
	// than this. It must be longer than spans take to Jaeger, and the clocks must be one. 0 leaves it out.
	Settled time.Duration
	// Poll is the time between two looks; 0 is DefaultPoll.
	Poll time.Duration
	// Timeout bounds the whole wait; 0 is DefaultCompleteWait. The context bounds
	// it too.
	Timeout time.Duration
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

// Readiness is what was seen of the object that a trace is about.
type Readiness struct {
	Ready bool
	// State words what was seen, for an error.
	State string
	// Since is when the object came to be as it is, see [LastWrite]; zero where that isn't known.
	Since time.Time
}

// LastWrite is when an object was last written, as its managed fields tell: they count in seconds, so it is the latest that
// can be meant, which may be a moment ahead. Zero where they don't tell.
func LastWrite(object metav1.Object) time.Time {
	var last time.Time
	for _, entry := range object.GetManagedFields() {
		if entry.Time != nil && entry.Time.After(last) {
			last = entry.Time.Time
		}
	}
	if last.IsZero() {
		return last
	}
	return last.Add(time.Second)
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

// conditions is their order in reports.
var conditions = []Condition{ConditionSpans, ConditionParents, ConditionQuiet, ConditionReady}

// State is what became of one condition.
type State struct {
	Condition Condition
	// Holds: it held at the last look.
	Holds bool
	// Since is when it became true, as far as polling tells; where it was true
	// before and then not, the last time counts. Zero where it doesn't hold.
	Since time.Time
	// Reason says why it doesn't hold; empty where it does.
	Reason string
	// Asked is false where a condition was not looked at: of readiness without
	// Conditions.Ready, and of parents and quiet as long as there is no span. One
	// that was not asked doesn't hold, and is no failure.
	Asked bool
}

// Completion is what a wait for a trace saw. It is not changed after it is given.
type Completion struct {
	TraceID string
	// Trace is as seen last; without spans where nothing was.
	Trace Trace
	// Begun is when the wait began, and Waited how long it took.
	Begun  time.Time
	Waited time.Duration
	// FirstSpan is when the trace had a span for the first time, and LastSpan when
	// its spans last changed. Both are zero where it never had one.
	FirstSpan, LastSpan time.Time
	// States has the four conditions, in the order of the constants.
	States []State
	// Result is the comparison with the expected tree; nil without one, or without
	// a span.
	Result *spantree.Result
	// Defective are the spans of the trace whose parent is missing, or wrong in
	// another way.
	Defective []*spantree.Node
	// Reading is the last error of reading the trace, by its kind: ErrNotFound,
	// ErrUnreachable and so on. Nil where the last reading succeeded.
	Reading error
	// Services are those that Jaeger has any spans of, where the trace was not
	// found. ServicesErr is why they are not known.
	Services    []string
	ServicesErr error
	// ReadyState is what Conditions.Ready said last; ReadyErr is its error.
	ReadyState string
	ReadyErr   error
}

// State gives one of the four.
func (c Completion) State(of Condition) State {
	for _, s := range c.States {
		if s.Condition == of {
			return s
		}
	}
	return State{Condition: of}
}

// Complete reports whether every condition that was asked holds.
func (c Completion) Complete() bool {
	return len(c.States) > 0 && len(c.Failures()) == 0 && c.State(ConditionSpans).Holds
}

// Failure is a condition that does not hold, and why.
type Failure struct {
	Condition Condition
	Reason    string
}

// Failures lists the conditions that were asked and don't hold.
func (c Completion) Failures() []Failure {
	var failures []Failure
	for _, s := range c.States {
		if s.Asked && !s.Holds {
			failures = append(failures, Failure{s.Condition, s.Reason})
		}
	}
	return failures
}

// String gives a line for each condition that was asked: since when it holds,
// counted from the beginning, or why it doesn't.
func (c Completion) String() string {
	var lines []string
	for _, s := range c.States {
		switch {
		case s.Holds:
			lines = append(lines, fmt.Sprintf("%s: since %s", s.Condition, s.Since.Sub(c.Begun).Round(time.Millisecond)))
		case s.Asked:
			lines = append(lines, fmt.Sprintf("%s: FAILED: %s", s.Condition, s.Reason))
		}
	}
	return strings.Join(lines, "\n")
}

// IncompleteError says why a trace was not complete when the time was over.
type IncompleteError struct {
	// Completion is what was seen; it has at least one failure.
	Completion
	// Failures are the completion's.
	Failures []Failure
	// Cause is the end of the context.
	Cause error
}

// Error names the conditions that failed and those that held, and shows the trees.
func (e *IncompleteError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "waiting for trace %s to be complete: gave up after %s (%v): %d of 4 conditions failed\n%s",
		e.TraceID, e.Waited.Round(time.Millisecond), e.Cause, len(e.Failures), e.Completion)
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
