// Package faultcmd implements the command that tests an operator with faults.
package faultcmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/faults"
	"github.com/operator-tracing/sandbox/sandbox/faults/report"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

type options struct {
	only                  []string
	update, junit, output string
	budget, bound, quiet  time.Duration
	full, list, inPlace   bool

	plans []plan.Plan
	// updateSet is true if update overrides sandbox.yaml, and changed are its objects.
	updateSet bool
	changed   []*unstructured.Unstructured
}

// New returns the command `sandbox faults`.
func New(shared *command.Shared, stderr *os.File) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "faults",
		Short: "Test whether the operator converges after a fault at every single write",
		Long: `The commands of faults run the operator of an embedded sandbox with one fault at a time: a crash, a conflict, a lost answer, a late
event. See docs/faults.md.`,
		Example: `  go run ./sandbox faults run`,
	}
	cmd.AddCommand(newRun(shared, stderr))
	return cmd
}

func newRun(shared *command.Shared, stderr *os.File) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the operator once for each write and each fault, and compare the results",
		Long: `run applies, changes (see --update) and deletes the sample of a running sandbox twice without a fault. It records what the operator
writes and which events it watches. Then it runs a plan for each write and event, and each fault: the write is refused (refuse-500,
refuse-429, refuse-409), its answer is lost (lost-answer, lost-answer-timeout), the operator is killed right before or after it
(kill-before, kill-after), the API server is unavailable from then on (unavailable); the event comes late (watch-delay), only by a new
list (watch-cut), or reads are stale until the next one (stale-read). Each plan has a fresh operator process and a namespace of its own.

A plan passes if the sample becomes ready, the objects are as without the fault, nothing is created more often, nothing is left after
the deletion, and the operator comes to rest. A failure shows both traces, the writes, the differing objects, the end of the
operator's log, and the command that repeats the plan. The exit code is 0 if all plans pass, 1 if one fails or the command cannot run
them, and 2 for mistakes in the command line.

The sandbox needs an embedded cluster. Meanwhile the operator runs behind a proxy of the API server, and other commands that change
the sandbox wait. In the end, or after Ctrl-C, the operator runs as before; after a crash of this command, "sandbox up" repairs it.
See docs/faults.md.`,
		Example: `  go run ./sandbox up --cluster=embedded -f sandbox.yaml
  go run ./sandbox faults run                                # all plans
  go run ./sandbox faults run --list                         # the plans, with the writes and events that they hit
  go run ./sandbox faults run --only=write:3,kill-after      # one of them again
  go run ./sandbox faults run --update=changed-sample.yaml   # change the sample when it is ready
  go run ./sandbox faults run --budget=5m --junit=faults.xml -o html > faults.html`,
		Args: command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd); err != nil {
				return err
			}
			run, err := shared.Attach()
			if err != nil {
				return err
			}
			progress := ui.NewProgress(stderr)
			defer progress.Close()
			r, err := o.run(cmd.Context(), run, progress)
			progress.Close()
			return errors.Join(o.finish(cmd.OutOrStdout(), r, err == nil), err)
		},
	}
	flags := cmd.Flags()
	shared.BindFile(flags)
	flags.StringArrayVar(&o.only, "only", nil, "`PLAN` to run, for example write:3,kill-after; can be repeated (default all)")
	flags.StringVar(&o.update, "update", "", "`FILE` of manifests that change the sample when it is ready; its writes get plans, too; empty for no change (default faults.update in sandbox.yaml)")
	flags.DurationVar(&o.budget, "budget", 0, "time after which no further plan starts (default no limit)")
	flags.DurationVar(&o.bound, "bound", 0, "time limit for each of apply, update and delete (default 10 times the slowest run without a fault, at least 10s)")
	flags.DurationVar(&o.quiet, "quiet", 0, "time without writes after which the operator is at rest (default "+faults.DefaultQuiet.String()+", and 10s in the first run without a fault)")
	flags.BoolVar(&o.full, "full", false, "also plans that are unlikely to find more than others")
	flags.BoolVar(&o.list, "list", false, "list the plans without running them, and the fields that are not compared; the first list takes two runs without a fault")
	flags.BoolVar(&o.inPlace, "in-place", false, "run in the sample's own namespace, for operators that watch only that; the sample is deleted, and applied again at the end")
	flags.StringVar(&o.junit, "junit", "", "`FILE` for a JUnit XML report")
	flags.StringVarP(&o.output, "output", "o", "text", "output format: text, json, or html (a page)")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json", "html"}, cobra.ShellCompDirectiveNoFileComp)) // The flag exists.
	_ = cmd.RegisterFlagCompletionFunc("only", completePlan)                                                                                   // The flag exists.
	return cmd
}

// completePlan completes the fault of a plan.
func completePlan(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	target, _, named := strings.Cut(typed, ",")
	if !named {
		return []string{string(plan.TargetWrite) + ":", string(plan.TargetTrigger) + ":"}, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	var found []string
	for _, fault := range plan.Faults() {
		if _, err := plan.Parse(target + "," + string(fault)); err == nil {
			found = append(found, target+","+string(fault))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// check returns a usage error, and reads what needs no sandbox.
func (o *options) check(cmd *cobra.Command) error {
	if err := command.CheckOutput(o.output, "text", "json", "html"); err != nil {
		return err
	}
	for name, value := range map[string]time.Duration{"budget": o.budget, "bound": o.bound, "quiet": o.quiet} {
		if cmd.Flags().Changed(name) && value <= 0 {
			return command.Usagef("--%s=%s: use a positive duration", name, value)
		}
	}
	for _, text := range o.only {
		plan, err := plan.Parse(text)
		if err != nil {
			return command.Usagef("--only: %w", err)
		}
		if !slices.Contains(o.plans, plan) {
			o.plans = append(o.plans, plan)
		}
	}
	switch {
	case o.list && o.output == "html":
		return command.Usagef("--list can't be combined with --output=html")
	case o.list && o.junit != "":
		return command.Usagef("--list can't be combined with --junit")
	}
	if o.junit != "" {
		if _, err := os.Stat(filepath.Dir(o.junit)); err != nil {
			return fmt.Errorf("saving the JUnit report: %w; create the folder", err)
		}
	}
	if o.updateSet = cmd.Flags().Changed("update"); o.update == "" {
		return nil
	}
	var err error
	o.changed, err = project.ReadManifests(".", []string{o.update})
	if err == nil && len(o.changed) == 0 {
		err = errors.New("no objects")
	}
	if err != nil {
		return fmt.Errorf("reading the changed sample: %w", err)
	}
	return nil
}

// finish writes the reports. The error is about the plans that failed, or about writing.
func (o *options) finish(out io.Writer, r *report.Report, complete bool) error {
	if r == nil {
		return nil
	}
	var errs []error
	if o.junit != "" {
		errs = append(errs, writeFile(o.junit, r.WriteJUnit))
	}
	switch {
	case o.output == "json":
		errs = append(errs, command.WriteJSON(out, r))
	case o.output == "html":
		errs = append(errs, r.WriteHTML(ui.Raw(out)))
	case o.list && r.Problem == "":
		errs = append(errs, r.WriteList(ui.Raw(out)))
	default:
		errs = append(errs, r.WriteText(ui.Raw(out)))
	}
	switch failed := len(r.Failures()); {
	case r.Problem != "":
		errs = append(errs, fmt.Errorf("testing %s: %s", r.Sample, r.Problem))
	case failed > 0:
		errs = append(errs, fmt.Errorf("testing %s: %d of %d plans failed", r.Sample, failed, len(r.Plans)))
	case complete && len(r.Plans) == 0 && len(r.Skipped) == 0:
		errs = append(errs, fmt.Errorf("testing %s: the operator writes nothing, so there is no plan", r.Sample))
	}
	return errors.Join(errs...)
}

// writeFile writes a file with a function.
func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("saving the JUnit report: %w", err)
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return fmt.Errorf("saving the JUnit report: %w", err)
	}
	return nil
}

// repeat returns the command that repeats a plan with the same options.
func (o *options) repeat(plan plan.Plan) string {
	args := []string{"faults", "run", "--only=" + plan.String()}
	for name, value := range map[string]time.Duration{"bound": o.bound, "quiet": o.quiet} {
		if value > 0 {
			args = append(args, "--"+name+"="+value.String())
		}
	}
	if o.updateSet {
		args = append(args, "--update="+hint.ShellWord(o.update))
	}
	if o.inPlace {
		args = append(args, "--in-place")
	}
	slices.Sort(args[3:])
	return hint.Command(args...)
}
