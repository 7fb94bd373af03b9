package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/ui"
	"github.com/operator-tracing/sandbox/sandbox/up"
)

// downTimeout bounds down, with the wait for another command's lock.
const downTimeout = 5 * time.Minute

func newDown(shared *shared, stderr *os.File) *cobra.Command {
	var purge bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove everything that up made",
		Long: `down removes the cluster (a node with its volumes and network, or the processes of an embedded one), the kubeconfig and the
sandbox's state.

What was built or pulled stays, so that the next up is fast; --purge removes that too. Running down when nothing is up
is no error.`,
		Args: exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			run, err := up.Open(shared.options)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), downTimeout)
			defer cancel()
			progress := ui.NewProgress(stderr)
			defer progress.Close()
			run.Note = progress.Printf
			unlock, err := run.Lock(ctx, progress.Printf)
			if err != nil {
				return err
			}
			defer unlock()
			step := progress.Step("removing the sandbox")
			err = run.Down(ctx, purge)
			step.End(err)
			return err
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "remove the caches and the engine's images too")
	return cmd
}
