package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/ui"
)

func newKindConfig(shared *shared, stderr *os.File) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kind-config",
		Short: "Print the configuration by which plain kind makes the same node",
		Long: `kind-config gets the node image, gives it to the container engine, and prints a configuration for
"kind create cluster --config": to compare, or to use the node without the sandbox.`,
		Example: "  go run ./sandbox kind-config > kind.yaml && kind create cluster --config kind.yaml",
		Args:    exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := shared.open()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), run.Timeout)
			defer cancel()
			progress := ui.NewProgress(stderr)
			run.Note = progress.Printf
			defer progress.Close()
			config, err := run.KindConfig(ctx, progress)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), config)
			return err
		},
	}
	shared.bindUp(cmd.Flags())
	return cmd
}
