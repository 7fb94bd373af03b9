package runcmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/embedded/detour"
	"github.com/operator-tracing/sandbox/sandbox/embedded/standin"
	"github.com/operator-tracing/sandbox/sandbox/process"
)

// KeeperName is the name of the hidden command that the keeper runs.
const KeeperName = "keeper"

// NewKeeper returns the hidden command that starts the operator again if `sandbox run` is killed; see
// package standin.
func NewKeeper(shared *command.Shared) *cobra.Command {
	return &cobra.Command{
		Use: KeeperName, Hidden: true, Short: "Start the operator again when the command that writes to the standard input is killed", Args: command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return standin.Keep(cmd.Context(), cmd.InOrStdin(), func(ctx context.Context, operator process.Spec) error {
				ctx, cancel := context.WithTimeout(ctx, limit)
				defer cancel()
				run, err := shared.Open()
				if err != nil {
					return err
				}
				unlock, err := run.Lock(ctx, nil)
				if err != nil {
					return err
				}
				defer unlock()
				if err := run.Attach(); err != nil { // It is down.
					return err
				}
				return detour.StartAgain(ctx, run.Dir, operator)
			})
		},
	}
}
