package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/up"
)

// newStop is for scripts that put a program of their own in a process's place, as `make run` does.
func newStop(shared *shared) *cobra.Command {
	return &cobra.Command{
		Use:    "stop COMPONENT",
		Short:  "End one process of an embedded cluster until the next up",
		Args:   exactArgs(1, "the name of a component"),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := up.Open(shared.options)
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
			if errors.Is(err, up.ErrNoProcess) {
				return usageError{err}
			}
			return err
		},
	}
}
