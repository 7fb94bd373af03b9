package triage

import (
	"fmt"
	"strings"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Report is what a person reads about a wait that failed. It is an error.
type Report struct {
	Evidence
	// Verdicts are those of [Judge]; never empty.
	Verdicts []Verdict
	// Err is what the wait gave.
	Err error
	// Options are for the trees.
	Options spantree.ExplainOptions
}

// NewReport judges.
func NewReport(e Evidence, err error) *Report {
	return &Report{Evidence: e, Verdicts: Judge(e), Err: err}
}

// Has gives the verdict of a cause, if it is one of the report's.
func (r *Report) Has(cause Cause) (Verdict, bool) {
	for _, v := range r.Verdicts {
		if v.Cause == cause {
			return v, true
		}
	}
	return Verdict{}, false
}

// Unwrap gives what the wait gave.
func (r *Report) Unwrap() error { return r.Err }

// Error gives the verdicts, the four conditions with the time at which each became
// true, and expected and actual trees with their difference.
func (r *Report) Error() string {
	var b strings.Builder
	c := r.Completion
	fmt.Fprintf(&b, "trace %s of %s was not complete %s after the wait began\n", c.TraceID, r.Object, elapsed(c.Begun, c.Begun.Add(c.Waited)))
	for _, v := range r.Verdicts {
		fmt.Fprintf(&b, "verdict: %s: %s\n  remedy: %s\n", v.Cause, v.Because, v.Remedy)
		for _, line := range v.Details {
			fmt.Fprintf(&b, "  | %s\n", line)
		}
	}
	b.WriteString(r.times())
	for _, line := range r.Unknown {
		fmt.Fprintf(&b, "not known: %s\n", line)
	}
	switch {
	case c.Result != nil && !c.Result.OK():
		b.WriteString(c.Result.ExplainWith(r.Options))
	case c.Trace.Len() > 0:
		b.WriteString("the trace as seen last:\n" + c.Trace.Forest().String())
	}
	return strings.TrimRight(b.String(), "\n")
}

// times is a line for each of the four conditions.
func (r *Report) times() string {
	var b strings.Builder
	from := "after the object was applied"
	if r.Applied.IsZero() {
		from = "after the wait began"
	}
	for _, s := range r.Completion.States {
		switch {
		case s.Holds:
			fmt.Fprintf(&b, "  ok      %s: true since %s %s\n", s.Condition, elapsed(r.begun(), s.Since), from)
		case s.Asked:
			fmt.Fprintf(&b, "  FAILED  %s: %s\n", s.Condition, s.Reason)
		default:
			fmt.Fprintf(&b, "  -       %s: not looked at\n", s.Condition)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "conditions:\n" + b.String()
}
