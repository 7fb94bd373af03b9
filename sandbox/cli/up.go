package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/ui"
	"github.com/operator-tracing/sandbox/sandbox/up"
)

func newUp(plan Plan, shared *shared, stderr *os.File) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make the sandbox, or repair it, and show the sample's trace",
		Long: `up makes the sandbox and prints the trace of the sample Head.

It can be run again at any time: what is there is kept, what is missing or broken is mended.

The cluster is kind's where a container engine works. Elsewhere, or with --cluster=embedded, it is a real control plane,
cert-manager, Jaeger and the operator as processes of this machine, with a simulated node: no root, no containers, and up in
seconds. Images come from a registry or, where none answers, from source; programs are always built from source. A first
build takes some 20 minutes and is kept in the cache.`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runUp(cmd.Context(), plan, shared, cmd, stderr)
		},
	}
	shared.bindUp(cmd.Flags())
	return cmd
}

func runUp(ctx context.Context, plan Plan, shared *shared, cmd *cobra.Command, stderr *os.File) error {
	run, err := up.Open(shared.options)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, run.Timeout)
	defer cancel()
	progress := ui.NewProgress(stderr)
	run.Note = progress.Printf
	unlock, err := run.Lock(ctx, progress.Printf)
	if err == nil {
		defer unlock()
		err = up.Do(ctx, progress, plan.Choice(run))
	}
	if err == nil {
		err = up.Do(ctx, progress, plan.Steps(run))
	}
	progress.Close()
	if err != nil {
		return err
	}
	return showSample(ctx, run, cmd.OutOrStdout())
}
