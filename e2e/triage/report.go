package triage

import (
	"fmt"
	"strings"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Report is the text about a failed wait. It is an error.
type Report struct {
	Evidence
	// Verdicts are the verdicts of [Judge]. There is at least one.
	Verdicts []Verdict
	// Err is the error of the wait.
	Err error
	// Options are the options for the trees.
	Options spantree.ExplainOptions
}

// NewReport returns the report about the evidence.
func NewReport(e Evidence, err error) *Report {
	return &Report{Evidence: e, Verdicts: Judge(e), Err: err}
}

// Has returns the verdict with a cause, and whether the report has it.
func (r *Report) Has(cause Cause) (Verdict, bool) {
	for _, v := range r.Verdicts {
		if v.Cause == cause {
			return v, true
		}
	}
	return Verdict{}, false
}

// Unwrap returns the error of the wait.
func (r *Report) Unwrap() error { return r.Err }

// Error returns the verdicts, the four conditions with the times at which they became true, and the
// expected and the actual tree with their difference.
func (r *Report) Error() string {
	var b strings.Builder
	c := r.Completion
	fmt.Fprintf(&b, "trace %s of %s was not complete %s after the start of the wait\n", c.TraceID, r.Object, elapsed(c.Begun, c.Begun.Add(c.Waited)))
	for _, v := range r.Verdicts {
		fmt.Fprintf(&b, "verdict: %s: %s\n  remedy: %s\n", v.Cause, v.Because, v.Remedy)
		for _, line := range v.Details {
			fmt.Fprintf(&b, "  | %s\n", line)
		}
	}
	b.WriteString(r.times())
	for _, line := range r.Unknown {
		fmt.Fprintf(&b, "unknown: %s\n", line)
	}
	switch {
	case c.Result != nil && !c.Result.OK():
		b.WriteString(c.Result.ExplainWith(r.Options))
	case c.Trace.Len() > 0:
		b.WriteString("last state of the trace:\n" + c.Trace.Forest().String())
	}
	return strings.TrimRight(b.String(), "\n")
}

// times returns a line for each of the four conditions.
func (r *Report) times() string {
	var b strings.Builder
	from := "after the object was applied"
	if r.Applied.IsZero() {
		from = "after the start of the wait"
	}
	for _, s := range r.Completion.States {
		switch {
		case s.Holds:
			fmt.Fprintf(&b, "  ok      %s: true since %s %s\n", s.Condition, elapsed(r.start(), s.Since), from)
		case s.Asked:
			fmt.Fprintf(&b, "  FAILED  %s: %s\n", s.Condition, s.Reason)
		default:
			fmt.Fprintf(&b, "  -       %s: not checked\n", s.Condition)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "conditions:\n" + b.String()
}
