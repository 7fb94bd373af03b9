package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

func newBuild(plan Plan, shared *shared, stderr *os.File) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build every component from source into the cache",
		Long: `build does what a first up does where no registry answers, without a cluster: it compiles Kubernetes, containerd,
CoreDNS, cert-manager, Jaeger, kwok and the operator, makes the node's root filesystem, and puts the images together.

With --cluster=kind or --cluster=embedded it builds what that needs, and no more.`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := shared.open()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), session.DefaultTimeout)
			defer cancel()
			progress := ui.NewProgress(stderr)
			run.Note = progress.Printf
			defer progress.Close()
			return run.BuildAll(ctx, plan.Fetches, progress)
		},
	}
	shared.bindCluster(cmd.Flags())
	shared.bindFile(cmd.Flags())
	return cmd
}
