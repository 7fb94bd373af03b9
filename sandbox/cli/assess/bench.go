package assess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/explain/compare"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/traces"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

type benchOptions struct {
	runs, warmup          int
	save, against, output string
	limit                 time.Duration
}

// NewBench returns the command `sandbox bench`.
func NewBench(shared *command.Shared, stderr *os.File) *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench [NAME]",
		Short: "Measure how the operator handles its sample, several times",
		Long: `bench deletes the sample of a running sandbox with its dependents, applies it again, and waits until it is ready and its trace
complete, several times. It prints the median and the 95th percentile of the times and counts of these traces.

With --save it stores the measurements. With --against it compares them with stored ones, and exits with 3 if a measurement became
worse outside the noise. Compare only measurements of the same machine with the same load. See docs/comparing.md.`,
		Example: `  go run ./sandbox bench --runs=20 --save=main.json
  go run ./sandbox load operator && go run ./sandbox bench --against=main.json
  go run ./sandbox bench -f sandbox.yaml --against=main.json -o markdown`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return command.Usagef("expected at most one name of an object, got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			before, err := o.check()
			if err != nil {
				return err
			}
			set, err := o.measure(cmd, shared, args, stderr)
			if err != nil {
				return err
			}
			return o.finish(cmd, before, set)
		},
	}
	flags := cmd.Flags()
	shared.BindFile(flags)
	flags.IntVar(&o.runs, "runs", 20, "number of measured runs")
	flags.IntVar(&o.warmup, "warmup", 1, "number of runs before that are not measured")
	flags.StringVar(&o.save, "save", "", "`FILE` for the measurements")
	flags.StringVar(&o.against, "against", "", "`FILE` with earlier measurements, or with traces, to compare with")
	flags.StringVarP(&o.output, "output", "o", "text", "output format: text, markdown or json")
	flags.DurationVar(&o.limit, "run-timeout", 5*time.Minute, "time limit of each run")
	return cmd
}

// check returns the measurements to compare with, before the first run.
func (o *benchOptions) check() (compare.Set, error) {
	if err := command.CheckOutput(o.output, "text", "markdown", "json"); err != nil {
		return compare.Set{}, err
	}
	switch {
	case o.runs < 1:
		return compare.Set{}, command.Usagef("--runs=%d: use a positive number", o.runs)
	case o.warmup < 0:
		return compare.Set{}, command.Usagef("--warmup=%d: use a number >= 0", o.warmup)
	case o.limit <= 0:
		return compare.Set{}, command.Usagef("--run-timeout=%s: use a positive duration", o.limit)
	}
	if o.save != "" {
		if _, err := os.Stat(filepath.Dir(o.save)); err != nil {
			return compare.Set{}, fmt.Errorf("saving the measurements: %w; create the folder", err)
		}
	}
	if o.against == "" {
		return compare.Set{}, nil
	}
	runs, err := readFiles(o.against)
	return compare.Set{Name: o.against, Runs: runs}, err
}

// measure runs the sample.
func (o *benchOptions) measure(cmd *cobra.Command, shared *command.Shared, args []string, stderr *os.File) (set compare.Set, err error) {
	run, err := shared.Attach()
	if err != nil {
		return set, err
	}
	unlock, err := run.Lock(cmd.Context(), nil)
	if err != nil {
		return set, err
	}
	defer unlock()
	sample, err := o.sample(cmd.Context(), run, args)
	if err != nil {
		return set, err
	}
	set.Name = sample.String()
	progress := ui.NewProgress(stderr)
	defer progress.Close()
	run.Note = progress.Printf
	run.RenewSample = true
	for i := range o.warmup + o.runs {
		name := fmt.Sprintf("run %d of %d", i-o.warmup+1, o.runs)
		if i < o.warmup {
			name = fmt.Sprintf("warm-up %d of %d", i+1, o.warmup)
		}
		step := progress.Step(name)
		r, err := o.once(cmd.Context(), run, sample, step.Detail)
		if err == nil {
			step.Detail("%s", r.Durations[compare.SegmentTotal].Round(time.Millisecond))
		}
		step.End(err)
		if err != nil {
			return set, fmt.Errorf("measuring %s, %s: %w", sample, name, err)
		}
		if i >= o.warmup {
			set.Runs = append(set.Runs, r)
		}
	}
	return set, nil
}

// sample returns the sample, and an error if it cannot be measured.
func (o *benchOptions) sample(ctx context.Context, run *lifecycle.Sandbox, args []string) (traces.Object, error) {
	sample, err := run.Sample()
	if err != nil {
		return sample, err
	}
	if run.File != "" {
		if _, err := run.OpenProject(); err != nil { // It runs another operator.
			return sample, err
		}
	}
	if !run.Asks() {
		return sample, fmt.Errorf("measuring %s: %w", sample, provider.ErrNoQuery)
	}
	if len(args) == 0 {
		return sample, nil
	}
	reference, err := traces.ParseReference(args[0])
	if err != nil {
		return sample, command.Usage(err)
	}
	ctx, cancel := context.WithTimeout(ctx, command.LookTimeout)
	defer cancel()
	named, err := run.Find(ctx, reference, "")
	if err == nil && named != sample {
		err = fmt.Errorf("measuring %s: only the sample, %s, can be applied and deleted; name it in sandbox.yaml", named, sample)
	}
	return sample, err
}

// once applies the sample again and measures its trace.
func (o *benchOptions) once(ctx context.Context, run *lifecycle.Sandbox, sample traces.Object, report func(string, ...any)) (compare.Run, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, fmt.Errorf("no trace within %s", o.limit))
	defer cancel()
	if err := run.Start(component.Named(component.Sample))(ctx, report); err != nil {
		return compare.Run{}, err
	}
	trace, err := run.WaitTrace(ctx, sample)
	if err != nil {
		return compare.Run{}, err
	}
	return newRun(trace)
}

// finish saves and prints the measurements. It prints them also if it cannot save them.
func (o *benchOptions) finish(cmd *cobra.Command, before, set compare.Set) error {
	out := cmd.OutOrStdout()
	var unsaved error
	if o.save != "" {
		if err := state.Write(o.save, set); err != nil {
			unsaved = fmt.Errorf("saving the measurements: %w", err)
		}
	}
	if o.against == "" {
		if o.output == "json" {
			return errors.Join(command.WriteJSON(out, set), unsaved)
		}
		return errors.Join(compare.WriteSummary(ui.NewPrinter(out), set, o.output == "markdown"), unsaved)
	}
	report := compare.Compare(before, set)
	if err := errors.Join(writeReport(out, report, o.output), unsaved); err != nil {
		return err
	}
	return regression(report)
}
