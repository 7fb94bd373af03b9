package tracetree

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Defaults of [Conditions].
const (
	DefaultQuiet = time.Second
	DefaultPoll  = 100 * time.Millisecond
)

// Conditions define when a trace is complete. The zero value requires at least one span, no missing
// parents and no new spans for a second, within a minute.
type Conditions struct {
	// Tree is the expected tree; nil requires at least one span.
	Tree *spantree.Tree
	// Ready reports whether the object of the trace is ready. It is called at every poll, but never
	// concurrently. An error counts as not ready. Nil disables the condition.
	Ready func(context.Context) (Readiness, error)
	// Quiet is the required time without a new span (default DefaultQuiet). It starts when the
	// object is ready, because the last steps have spans too.
	Quiet time.Duration
	// Settled is the age from which a trace needs no quiet period: its last span ended, and its
	// object last changed, longer ago than this. It must be longer than the delay of spans, and the
	// clocks must be synchronized. 0 disables it.
	Settled time.Duration
	// Poll is the interval between reads (default DefaultPoll).
	Poll time.Duration
	// Timeout is the timeout of the wait, in addition to the context (default one minute).
	Timeout time.Duration
}

func (c Conditions) withDefaults() Conditions {
	c.Quiet = cmp.Or(max(c.Quiet, 0), DefaultQuiet)
	c.Poll = cmp.Or(max(c.Poll, 0), DefaultPoll)
	c.Timeout = cmp.Or(max(c.Timeout, 0), time.Minute)
	return c
}

// Readiness is the readiness of the object of a trace.
type Readiness struct {
	Ready bool
	// State describes the state of the object, for errors.
	State string
	// Since is the time of the object's last change, see [LastWrite]; zero if unknown.
	Since time.Time
}

// LastWrite returns the time of the last write of an object from its managed fields, or zero if
// they have no times. The times have a resolution of seconds. LastWrite returns the end of the
// second, which can be in the future.
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

// The conditions. ConditionSpans is about the expected tree if there is one.
const (
	ConditionSpans   Condition = "expected spans"
	ConditionParents Condition = "no missing parents"
	ConditionQuiet   Condition = "quiet period"
	ConditionReady   Condition = "object ready"
)

// conditions is the order in reports.
var conditions = []Condition{ConditionSpans, ConditionParents, ConditionQuiet, ConditionReady}

// State is the state of one condition.
type State struct {
	Condition Condition
	// Holds is true if the condition was true at the last poll.
	Holds bool
	// Since is the time of the poll at which the condition last became true; zero if it is false.
	Since time.Time
	// Reason is the reason why the condition is false; empty if it is true.
	Reason string
	// Asked is false if the condition was not evaluated: readiness without Conditions.Ready, and
	// parents and quiet period while there are no spans. Such a condition is neither true nor a
	// failure.
	Asked bool
}

// Completion is the result of waiting for a trace. It is immutable.
type Completion struct {
	TraceID string
	// Trace is the last read trace, possibly without spans.
	Trace Trace
	// Begun is the start of the wait, and Waited its duration.
	Begun  time.Time
	Waited time.Duration
	// States has the four conditions, in the order of the constants.
	States []State
	// Result is the comparison with the expected tree; nil without a tree or without spans.
	Result *spantree.Result
	// Defective are the spans with a missing or invalid parent.
	Defective []*spantree.Node
	// Reading is the error of the last read, with its kind; nil if it succeeded.
	Reading error
	// Services are all services with spans in Jaeger, if the trace was not found.
	Services []string
}

// State returns the state of a condition.
func (c Completion) State(of Condition) State {
	for _, s := range c.States {
		if s.Condition == of {
			return s
		}
	}
	return State{Condition: of}
}

// Complete reports whether all evaluated conditions are true.
func (c Completion) Complete() bool {
	return len(c.States) > 0 && len(c.Failures()) == 0 && c.State(ConditionSpans).Holds
}

// Failures returns the evaluated conditions that are false.
func (c Completion) Failures() []State {
	return slices.DeleteFunc(slices.Clone(c.States), func(s State) bool { return !s.Asked || s.Holds })
}

// String returns a line for each evaluated condition: the time at which it became true, relative to
// the start, or the reason why it is false.
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

// IncompleteError is returned if a trace is not complete after the timeout.
type IncompleteError struct {
	// Completion is the result of the wait; it has at least one failure.
	Completion
	// Cause is the error of the context.
	Cause error
}

// Error returns the states of all conditions and the trees.
func (e *IncompleteError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "waiting for trace %s to be complete: timeout after %s (%v): %d of 4 conditions failed\n%s",
		e.TraceID, e.Waited.Round(time.Millisecond), e.Cause, len(e.Failures()), e.Completion)
	switch {
	case e.Result != nil && !e.Result.OK():
		b.WriteString("\n" + e.Result.Explain())
	case e.Trace.Len() > 0:
		b.WriteString("\nlast read trace:\n" + e.Trace.Forest().String())
	}
	return strings.TrimRight(b.String(), "\n")
}

// Unwrap returns the error of the context.
func (e *IncompleteError) Unwrap() error { return e.Cause }
