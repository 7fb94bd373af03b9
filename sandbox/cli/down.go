package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// downTimeout bounds down, with the wait for another command's lock.
const downTimeout = 5 * time.Minute

func newDown(shared *command.Shared, stderr *os.File) *cobra.Command {
	var purge, yes bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove everything that up made",
		Long: `down removes the cluster (a node with its volumes and network, or the processes of an embedded one), the kubeconfig and the
sandbox's state.

What was built or pulled stays, so that the next up is fast; --purge removes that too. Running down when nothing is up
is no error.

From an existing cluster it removes what up added, by the labels that all of it bears, and nothing else: a cert-manager that was there
stays, and so does a namespace in which others have something. The kinds that up defined go with all objects of theirs; where
others have made such, it lists them and asks.`,
		Args: command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			run, err := shared.Open()
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
			losses, err := run.Losses(ctx)
			if err != nil {
				return err
			}
			if len(losses) > 0 {
				ask := asker{in: cmd.InOrStdin(), out: stderr, yes: yes}
				if err := ask.agree(ctx, "These objects, which the sandbox did not make, go with their kinds, which it did:", losses, "They can't be had back."); err != nil {
					return err
				}
			}
			step := progress.Step("removing the sandbox")
			err = run.Down(ctx, purge, step.Detail)
			step.End(err)
			return err
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "remove the caches and the engine's images too")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "on an existing cluster: remove the sandbox's kinds with others' objects of them, without asking")
	return cmd
}

func newStop(shared *command.Shared) *cobra.Command {
	return &cobra.Command{
		Use:   "stop COMPONENT",
		Short: "End one process of an embedded cluster until the next up",
		Long: `stop ends one process of an embedded cluster in order; the next up brings it back. It shows what happens without that process,
and makes room for a program of one's own, as make run does for the operator.

The components are ` + strings.Join(provider.ProcessNames(), ", ") + `.`,
		Example:   "  go run ./sandbox stop jaeger",
		ValidArgs: provider.ProcessNames(),
		Args:      command.ExactArgs(1, "the name of a component"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := shared.Open()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), downTimeout)
			defer cancel()
			unlock, err := run.Lock(ctx, nil)
			if err != nil {
				return err
			}
			defer unlock()
			if err := run.Attach(); err != nil {
				return err
			}
			err = run.StopProcess(ctx, args[0])
			if errors.Is(err, provider.ErrNoComponent) || errors.Is(err, lifecycle.ErrNoProcess) {
				return command.Usage(err)
			}
			return err
		},
	}
}
