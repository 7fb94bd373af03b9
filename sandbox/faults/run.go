package faults

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/inject"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/oracle"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/faults/leftover"
	"github.com/operator-tracing/sandbox/sandbox/faults/report"
)

// runner runs plans one after another.
type runner struct {
	Options

	stage    *stage
	observer *observer
	oracle   *oracle.Oracle
	clean    *oracle.Run
	findings []string // of the clean runs
	report   *report.Report
	started  time.Time
}

// Run does the clean runs, and then a run for each plan. An interrupted run returns the report so far
// and the error of ctx. Otherwise an error means that the plans could not be run; failed plans are in
// the report. Run does not restore the operator. It deletes the namespaces that it created, but does
// not wait for them.
func Run(ctx context.Context, o Options) (*report.Report, error) {
	r := &runner{Options: o, started: time.Now(), report: &report.Report{Operator: o.Name, Sample: apply.Describe(o.Samples[0])}}
	err := r.prepare(ctx)
	if err != nil {
		return r.report, err
	}
	defer func() { _ = r.observer.stop() }() // It has no more to report.
	if err = r.cleanRuns(ctx); err == nil && r.report.Problem == "" {
		err = r.plans(ctx)
	}
	r.report.Seconds = time.Since(r.started).Seconds()
	if ctx.Err() != nil {
		r.report.Interrupted, err = true, ctx.Err()
	}
	return r.report, err
}

func (r *runner) prepare(ctx context.Context) (err error) {
	limited, cancel := context.WithTimeout(ctx, cleanLimit)
	defer cancel()
	if err := leftover.Delete(limited, r.Cluster.Client()); err != nil {
		return err
	}
	if r.stage, err = newStage(r.Cluster, r.Samples, r.Update, r.InPlace); err != nil {
		return err
	}
	if r.stage.inPlace != r.InPlace {
		return &InPlaceError{}
	}
	r.observer, err = observeCluster(ctx, r.stage)
	return err
}

// InPlaceError means that the sample cannot be in a namespace of each run, and InPlace must be set.
type InPlaceError struct{}

// Error implements error.
func (*InPlaceError) Error() string {
	return "the sample has objects without a namespace, or in several namespaces"
}

// cleanRuns runs the sample twice without a fault.
func (r *runner) cleanRuns(ctx context.Context) error {
	var runs []*oracle.Run
	for i, quiet := range []time.Duration{max(r.quiet(), cleanQuiet), r.quiet()} {
		if r.Quiet > 0 {
			quiet = r.Quiet
		}
		name := fmt.Sprintf("recording writes, clean run %d of 2", i+1)
		end := r.Step(name)
		run, forests, err := r.once(ctx, fmt.Sprintf("clean-%d", i+1), inject.DriveOptions{Bound: cmp.Or(r.cleanBound, defaultCleanBound), Quiet: quiet}, inject.Options{})
		if err != nil {
			end(err.Error(), false)
			return err
		}
		end(fmt.Sprintf("%s, %s", count(len(run.Recording.Writes), "write"), count(len(run.Recording.Triggers), "event")), run.Err == nil)
		runs = append(runs, run)
		r.findings = append(r.findings, run.Findings...)
		r.report.Clean.Trace = r.draw(forests)
		if run.Err != nil || len(run.Exits) > 0 {
			break // The second run would tell nothing new.
		}
	}
	r.clean = runs[0]
	r.learn(runs)
	return nil
}

// learn fills the report with the results of the clean runs.
func (r *runner) learn(runs []*oracle.Run) {
	clean := &r.report.Clean
	for _, w := range r.clean.Recording.Writes {
		clean.Writes = append(clean.Writes, w.String())
	}
	for _, t := range r.clean.Recording.Triggers {
		clean.Events = append(clean.Events, t.Identity.String())
	}
	clean.Findings = slices.Compact(slices.Sorted(slices.Values(r.findings)))
	if len(runs) < 2 {
		runs = append(runs, runs[0])
	}
	oracle, verdicts := oracle.Learn(runs)
	clean.Verdicts = verdictsOf(verdicts)
	if r.oracle = oracle; oracle == nil {
		r.report.Problem = "the runs without a fault failed"
		if len(verdicts) > 0 {
			r.report.Problem = string(verdicts[0].Kind) + ", without any fault"
		}
		clean.Log = r.Operator.Log(logLines)
		return
	}
	if r.Bound == 0 {
		r.Bound = oracle.Bound(minBound)
	}
	clean.BoundSeconds = r.Bound.Seconds()
	clean.Mask = strings.FieldsFunc(oracle.Mask().String(), func(c rune) bool { return c == '\n' })
}

func (r *runner) quiet() time.Duration {
	if r.Quiet > 0 {
		return r.Quiet
	}
	return DefaultQuiet
}

// plans runs the plans of the matrix.
func (r *runner) plans(ctx context.Context) error {
	recording := r.clean.Recording
	matrix := plan.NewMatrix(recording, plan.MatrixOptions{Full: r.Full, WebhookDown: r.Webhook})
	selected := matrix.Plans
	if len(r.Only) > 0 {
		selected = r.Only
		if err := r.checkOnly(matrix); err != nil {
			return err
		}
	} else {
		for _, p := range matrix.Pruned {
			r.report.Pruned = append(r.report.Pruned, report.Pruned{Plan: p.Plan.String(), Reason: p.Reason})
		}
	}
	for i, p := range selected {
		result := report.Plan{
			Plan: p.String(), Fault: string(p.Fault), Number: p.Index, Event: p.Fault.Target() == plan.TargetTrigger, Target: recording.Describe(p),
		}
		if r.List {
			r.report.Plans = append(r.report.Plans, result)
			continue
		}
		if r.Budget > 0 && time.Since(r.started) > r.Budget {
			r.skip(selected[i:])
			return nil
		}
		end := r.Step(fmt.Sprintf("%d of %d: %s", i+1, len(selected), p))
		if err := r.plan(ctx, p, &result); err != nil {
			r.skip(selected[i:])
			end(err.Error(), false)
			return err
		}
		end(string(result.Outcome)+" "+result.Target, result.Outcome != report.Failed)
		r.report.Plans = append(r.report.Plans, result)
	}
	return nil
}

func (r *runner) skip(plans []plan.Plan) {
	for _, p := range plans {
		r.report.Skipped = append(r.report.Skipped, p.String())
	}
}

// checkOnly returns an error for a selected plan that does not exist.
func (r *runner) checkOnly(m plan.Matrix) error {
	for _, p := range r.Only {
		known := slices.Contains(m.Plans, p) || slices.ContainsFunc(m.Pruned, func(pruned plan.Pruned) bool { return pruned.Plan == p })
		if !known {
			return &UnknownPlanError{Plan: p, Writes: len(r.clean.Recording.Writes), Events: len(r.clean.Recording.Triggers)}
		}
	}
	return nil
}

// UnknownPlanError means that a selected plan does not exist.
type UnknownPlanError struct {
	Plan plan.Plan
	// Writes and Events are the numbers of writes and events in the clean run.
	Writes, Events int
}

// Error implements error.
func (e *UnknownPlanError) Error() string {
	return fmt.Sprintf("no plan %s: the run without a fault has %s and %s", e.Plan, count(e.Writes, "write"), count(e.Events, "event"))
}

// plan runs one plan and judges it.
func (r *runner) plan(ctx context.Context, p plan.Plan, result *report.Plan) error {
	began := time.Now()
	drive := inject.DriveOptions{Oracle: r.oracle, Bound: r.Bound, Quiet: r.quiet(), Plan: p, Watched: r.clean.Recording.Watched}
	switch p.Fault {
	case plan.Unavailable:
		drive.Bound += outageBound
	case plan.WebhookDown:
		drive.Oracle = nil // The sample lacks what the webhook adds.
	}
	run, forests, err := r.once(ctx, p.String(), drive, inject.Options{Plan: p, Recording: r.clean.Recording})
	if err != nil {
		return err
	}
	run.Findings = slices.DeleteFunc(run.Findings, func(f string) bool { return slices.Contains(r.findings, f) })
	verdicts := slices.DeleteFunc(r.oracle.Judge(run), func(v oracle.Verdict) bool {
		return p.Fault == plan.WebhookDown && v.Kind == oracle.ObjectsDiffer && r.isSample(v.Object)
	})
	result.Seconds = time.Since(began).Seconds()
	switch {
	case len(verdicts) == 0:
		result.Outcome = report.Passed
		return nil
	case len(verdicts) == 1 && verdicts[0].Kind == oracle.NotReached:
		result.Outcome = report.NotReached
		return nil
	}
	result.Outcome, result.Verdicts, result.Exits = report.Failed, verdictsOf(verdicts), run.Exits
	result.Writes = plan.SideBySide(r.clean.Recording, run.Recording)
	result.Trace, result.Log = r.draw(forests), r.Operator.Log(logLines)
	if r.Repeat != nil {
		result.Repeat = r.Repeat(p)
	}
	return nil
}

// isSample reports whether a verdict is about an object of the sample.
func (r *runner) isSample(object string) bool {
	return slices.ContainsFunc(r.stage.samples, func(obj *unstructured.Unstructured) bool {
		return object == obj.GetKind()+" "+obj.GetName()
	})
}

func verdictsOf(verdicts []oracle.Verdict) []report.Verdict {
	var out []report.Verdict
	for _, v := range verdicts {
		out = append(out, report.Verdict{
			Kind: string(v.Kind), Step: v.Step, Object: v.Object, Path: v.Path, Want: v.Want, Got: v.Got, Message: v.String(),
		})
	}
	return out
}

// count returns a number with a noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
