package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

func newStop(shared *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "stop COMPONENT",
		Short: "End one process of an embedded cluster until the next up",
		Long: `stop ends one process of an embedded cluster in order; the next up brings it back. It shows what happens without that process,
and makes room for a program of one's own, as make run does for the operator.

The components are ` + strings.Join(provider.ProcessNames(), ", ") + `.`,
		Example:   "  go run ./sandbox stop jaeger",
		ValidArgs: provider.ProcessNames(),
		Args:      exactArgs(1, "the name of a component"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := shared.open()
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
				return usageError{err}
			}
			return err
		},
	}
}
