// Package report describes the result of fault runs, and writes it as text, JSON, JUnit XML and HTML.
package report

import (
	"slices"
	"time"
)

// Outcome is the result of one plan.
type Outcome string

// The outcomes.
const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	// NotReached means that the write or event of the plan did not come. The plan proves nothing.
	NotReached Outcome = "not reached"
)

// Report is the result of fault runs.
type Report struct {
	// Operator names the operator, and Sample the object that was applied.
	Operator string `json:"operator"`
	Sample   string `json:"sample"`
	// Problem is why no plan was run; empty if plans were run.
	Problem string `json:"problem,omitempty"`
	// Clean are the runs without a fault.
	Clean Clean `json:"clean"`
	// Plans are the plans that were run, in their order.
	Plans []Plan `json:"plans"`
	// Pruned are the plans that can find nothing, and Skipped the other plans that were not run.
	Pruned  []Pruned `json:"pruned"`
	Skipped []string `json:"skipped"`
	// Interrupted is true if the user ended the command early.
	Interrupted bool `json:"interrupted,omitempty"`
	// Seconds is the duration of everything.
	Seconds float64 `json:"seconds"`
}

// Clean describes the runs without a fault.
type Clean struct {
	// Writes and Events are what plans refer to, in their order.
	Writes []string `json:"writes"`
	Events []string `json:"events"`
	// Mask are the fields that differ between runs without a fault, and are not compared.
	Mask []string `json:"mask"`
	// Verdicts are the problems without a fault.
	Verdicts []Verdict `json:"verdicts"`
	// Findings are the findings about the traces.
	Findings []string `json:"findings"`
	// Trace is the tree of the controllers' work.
	Trace string `json:"trace,omitempty"`
	// Log is the end of the operator's log, if there are verdicts.
	Log string `json:"log,omitempty"`
	// BoundSeconds is the time limit of a step.
	BoundSeconds float64 `json:"boundSeconds"`
}

// Plan is the result of one plan.
type Plan struct {
	// Plan is its text form, and Fault the kind of fault.
	Plan  string `json:"plan"`
	Fault string `json:"fault"`
	// Number is the number of the write or event; 0 for a fault of the whole run. Event is true for an
	// event. Target describes it.
	Number   int       `json:"number,omitempty"`
	Event    bool      `json:"event,omitempty"`
	Target   string    `json:"target"`
	Outcome  Outcome   `json:"outcome"`
	Seconds  float64   `json:"seconds"`
	Verdicts []Verdict `json:"verdicts,omitempty"`
	// Exits are why the operator exited without a kill.
	Exits []string `json:"exits,omitempty"`
	// Writes are the writes of the clean run beside the writes of this one, Trace the tree of the
	// controllers' work, and Log the end of the operator's log. They are empty if the plan passed.
	Writes string `json:"writes,omitempty"`
	Trace  string `json:"trace,omitempty"`
	Log    string `json:"log,omitempty"`
	// Repeat is the command that repeats the plan.
	Repeat string `json:"repeat,omitempty"`
}

// Verdict is one difference from the runs without a fault.
type Verdict struct {
	Kind    string `json:"kind"`
	Step    string `json:"step,omitempty"`
	Object  string `json:"object,omitempty"`
	Path    string `json:"path,omitempty"`
	Want    string `json:"want,omitempty"`
	Got     string `json:"got,omitempty"`
	Message string `json:"message"`
}

// Pruned is a plan that can find nothing.
type Pruned struct {
	Plan   string `json:"plan"`
	Reason string `json:"reason"`
}

// OK reports whether all plans that were run passed or were not reached, and the clean runs agree.
func (r *Report) OK() bool { return r.Problem == "" && len(r.Failures()) == 0 }

// Failures returns the plans that failed.
func (r *Report) Failures() []Plan {
	return slices.DeleteFunc(slices.Clone(r.Plans), func(p Plan) bool { return p.Outcome != Failed })
}

// count is a row of the table.
type count struct {
	fault                            string
	plans, passed, failed, unreached int
}

func (c *count) add(p Plan) {
	c.plans++
	switch p.Outcome {
	case Passed:
		c.passed++
	case Failed:
		c.failed++
	case NotReached:
		c.unreached++
	}
}

// counts returns the rows of the table in the order of the plans, and their sum.
func (r *Report) counts() (rows []count, total count) {
	total.fault = "all"
	for _, p := range r.Plans {
		at := slices.IndexFunc(rows, func(c count) bool { return c.fault == p.Fault })
		if at < 0 {
			at, rows = len(rows), append(rows, count{fault: p.Fault})
		}
		rows[at].add(p)
		total.add(p)
	}
	return rows, total
}

// covered returns the number of writes, or of events, that a fault hit.
func (r *Report) covered(event bool) int {
	hit := map[int]bool{}
	for _, p := range r.Plans {
		if p.Number > 0 && p.Event == event && p.Outcome != NotReached {
			hit[p.Number] = true
		}
	}
	return len(hit)
}

func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(100 * time.Millisecond)
}
