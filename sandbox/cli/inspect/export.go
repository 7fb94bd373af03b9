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
		Short: "Write the state of the sandbox into a folder, for a bug report",
		Long: `export writes the information that is necessary to debug a sandbox: versions, options, status, the doctor's findings, all
objects, events, the logs of all components and of the node, and the trace of the sample Head as OTLP JSON. It works if the
sandbox is down or broken; the file ` + export.IncompleteFile + ` then lists the missing parts.

It hides the data of Secrets, unknown variables and arguments of workloads, and these values in logs, also if they are encoded. It
also hides text that looks like a key, token or password. It cannot recognize every secret. Review the files before you publish
them; they also contain names of machines, namespaces and images.

DIR must be empty or absent. If a step of up fails, up writes a short export automatically and prints its folder.`,
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
	return fmt.Sprintf("%d files; %s lists the missing parts", e.Files, export.IncompleteFile)
}
