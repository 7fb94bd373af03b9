package faulttest

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/oracle"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// Result is the result of one plan.
type Result struct {
	Plan plan.Plan
	// Target describes the write or trigger of the plan.
	Target   string
	Verdicts []oracle.Verdict
	Run      *oracle.Run
	// Log are the last lines of the operator's log.
	Log  []string
	Took time.Duration

	clean *plan.Recording
}

// OK reports whether the plan passed.
func (r Result) OK() bool { return len(r.Verdicts) == 0 }

// Reached reports whether the fault was injected. If it was not, the plan proves nothing.
func (r Result) Reached() bool { return !slices.ContainsFunc(r.Verdicts, isNotReached) }

// passedOtherwise reports whether there is no verdict except NotReached.
func (r Result) passedOtherwise() bool {
	return !slices.ContainsFunc(r.Verdicts, func(v oracle.Verdict) bool { return !isNotReached(v) })
}

func isNotReached(v oracle.Verdict) bool { return v.Kind == oracle.NotReached }

// Explain returns the plan, its target, the verdicts, the writes beside the writes of the clean run, and
// the last lines of the log.
func (r Result) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "plan %s: %s at %s\n", r.Plan, r.Plan.Fault, r.Target)
	for _, v := range r.Verdicts {
		fmt.Fprintf(&b, "  %s\n", v)
	}
	if r.clean != nil && r.Run != nil {
		b.WriteString("writes (\"!\" the fault, \"-\" only in the clean run, \"+\" only in this run):\n")
		b.WriteString(indent(strings.Split(strings.TrimRight(plan.SideBySide(r.clean, r.Run.Recording), "\n"), "\n")))
	}
	if len(r.Log) > 0 {
		b.WriteString("the operator's last log lines:\n" + indent(r.Log))
	} else {
		b.WriteString("no log; use the logger of Start's context for the manager to see it here\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func indent(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString("  " + line + "\n")
	}
	return b.String()
}

// Report is the result of Explore.
type Report struct {
	// Clean are the verdicts about the clean runs. With one of another kind than LeftOver plans prove
	// nothing, and there are no results. CleanLog are the last lines of the operator's log.
	Clean     []oracle.Verdict
	CleanLog  []string
	Recording *plan.Recording
	Matrix    plan.Matrix
	Results   []Result
	Mask      oracle.Mask
	// Skipped are the plans for which the budget was too short.
	Skipped []plan.Plan
}

// Failed returns the results that did not pass, except plans that were not reached.
func (r *Report) Failed() []Result {
	return r.filter(func(x Result) bool { return !x.passedOtherwise() })
}

// NotReached returns the results of plans whose write or event did not come, and that would have
// passed otherwise.
func (r *Report) NotReached() []Result {
	return r.filter(func(x Result) bool { return !x.Reached() && x.passedOtherwise() })
}

func (r *Report) filter(keep func(Result) bool) []Result {
	var out []Result
	for _, x := range r.Results {
		if keep(x) {
			out = append(out, x)
		}
	}
	return out
}

// String returns a table of the plans by kind of fault: how many ran, passed, failed, were not reached,
// and were pruned.
func (r *Report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "fault\tplans\tpassed\tfailed\tnot reached\tpruned\ttime\t")
	failed, missed := r.Failed(), r.NotReached()
	writes := map[int]bool{}
	for _, fault := range plan.Faults() {
		of := func(list []Result) int {
			return len(slices.DeleteFunc(slices.Clone(list), func(x Result) bool { return x.Plan.Fault != fault }))
		}
		var took time.Duration
		for _, x := range r.Results {
			if x.Plan.Fault == fault {
				took += x.Took
				if fault.Target() == plan.TargetWrite && x.Reached() {
					writes[x.Plan.Index] = true
				}
			}
		}
		pruned := 0
		for _, p := range r.Matrix.Pruned {
			if p.Plan.Fault == fault {
				pruned++
			}
		}
		if n := of(r.Results); n+pruned > 0 {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%.1fs\t\n", fault, n, n-of(failed)-of(missed), of(failed), of(missed), pruned, took.Seconds())
		}
	}
	w.Flush() //nolint:errcheck // a Builder returns no errors
	if r.Recording != nil {
		fmt.Fprintf(&b, "%d of %d writes covered\n", len(writes), len(r.Recording.Writes))
	}
	if n := len(r.Skipped); n > 0 {
		fmt.Fprintf(&b, "%d plans did not run, because the budget is spent; the first is %s\n", n, r.Skipped[0])
	}
	return strings.TrimRight(b.String(), "\n")
}
