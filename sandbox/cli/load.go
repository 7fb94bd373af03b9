package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/cli/show"
	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

func newLoad(plan Plan, shared *command.Shared, stderr *os.File) *cobra.Command {
	load := &cobra.Command{
		Use:     "load",
		Short:   "Update a part of a running sandbox",
		Long:    `load updates one part of a running sandbox and does not change the other parts.`,
		Example: "  go run ./sandbox load operator",
	}
	var sample bool
	operator := &cobra.Command{
		Use:   "operator",
		Short: "Rebuild the operator and run the new build",
		Long: `operator builds the operator of a running sandbox from its current sources, applies its manifests, and waits until the
new build is ready. It is the fast way to try a change. It does not change other components; "sandbox up" repairs those.`,
		Example: "  go run ./sandbox load operator\n  go run ./sandbox load operator --sample   # and print the trace of a new sample",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return shared.WithProgress(cmd.Context(), stderr, func(ctx context.Context, run *lifecycle.Sandbox, progress *ui.Progress) error {
				unlock, err := run.Lock(ctx, progress.Printf)
				if err == nil {
					defer unlock()
					err = graph.Do(ctx, progress, plan.Load(run, sample))
				}
				progress.Close()
				if err != nil || !sample {
					return err
				}
				return show.Sample(ctx, run, cmd.OutOrStdout())
			})
		},
	}
	operator.Flags().BoolVar(&sample, "sample", false, "new sample: deletes the sample, applies it again and prints its trace")
	shared.BindOperator(operator.Flags())
	load.AddCommand(operator)
	return load
}
