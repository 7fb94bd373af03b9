package inspect

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/export"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// NewExport returns the command `sandbox export`.
func NewExport(shared *command.Shared, stderr *os.File) *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR",
		Short: "Write all that is known of the sandbox into a folder, to show to others",
		Long: `export writes what is needed to understand a sandbox that is broken: versions, options, status, the doctor's findings, all objects,
events, the logs of all components and of the node, and the trace of the sample Head as OTLP JSON. It works while the sandbox is
down or broken; the file ` + export.IncompleteFile + ` then says what could not be had.

Keys, tokens, passwords and what Secrets hold are left out, and taken out of logs where somebody printed them. Look through it
before you publish it all the same: names of machines, namespaces and images stay.

DIR must be empty, or not exist yet. A step of up that fails writes a brief form of this by itself, and says where.`,
		Example: "  go run ./sandbox export /tmp/broken && tar -czf broken.tar.gz -C /tmp broken",
		Args:    command.ExactArgs(1, "a folder to write to"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := shared.Open()
			if err != nil {
				return err
			}
			progress := ui.NewProgress(stderr)
			step := progress.Step("export")
			exported, err := run.Export(cmd.Context(), args[0], export.Usual)
			if err == nil {
				step.Detail("%s", describeExport(exported))
			}
			step.End(err)
			progress.Close()
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), exported.Dir)
			}
			return err
		},
	}
}

func describeExport(e lifecycle.Exported) string {
	if len(e.Missing) == 0 {
		return fmt.Sprintf("%d files", e.Files)
	}
	return fmt.Sprintf("%d files; %s says what could not be had", e.Files, export.IncompleteFile)
}
