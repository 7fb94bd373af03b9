package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/cli/show"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

func newLoad(plan Plan, shared *command.Shared, stderr *os.File) *cobra.Command {
	load := &cobra.Command{
		Use:   "load",
		Short: "Give the cluster that is up a new build of its operator",
		Long:  `load gives a sandbox that is up something new, and leaves the rest of it alone.`,
	}
	var sample bool
	operator := &cobra.Command{
		Use:   "operator",
		Short: "Build the operator anew, and run that",
		Long: `operator builds the operator of a sandbox that is up from its sources as they are now, applies its manifests, and waits until the
new one serves: the fast way to try a change of it. What is not the operator's is left alone; "sandbox up" mends that.`,
		Example: "  go run ./sandbox load operator\n  go run ./sandbox load operator --sample   # and see what it does about a new sample",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := shared.Open()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), run.Timeout)
			defer cancel()
			progress := ui.NewProgress(stderr)
			run.Note = progress.Printf
			unlock, err := run.Lock(ctx, progress.Printf)
			if err == nil {
				defer unlock()
				err = lifecycle.Do(ctx, progress, plan.Load(run, sample))
			}
			progress.Close()
			if err != nil || !sample {
				return err
			}
			return show.Sample(ctx, run, cmd.OutOrStdout())
		},
	}
	operator.Flags().BoolVar(&sample, "sample", false, "delete the sample, apply it again, and print its trace")
	shared.BindOperator(operator.Flags())
	load.AddCommand(operator)
	return load
}
