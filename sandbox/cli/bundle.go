package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/bundle"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

func newBundle(plan Plan, shared *command.Shared, stderr *os.File) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Pack all images and programs of a sandbox into one file, for machines without a network",
		Long: `bundle packs all files that up needs into one file: the images of a kind cluster, the programs of an embedded cluster, or
both. With this program and the file, you can create a sandbox without a network, a registry, Go or this repository; a kind
cluster also needs a container engine. The file is a tar archive with an OCI image layout and a checksum.`,
		Example: `  go build -o sandbox ./sandbox && ./sandbox bundle create sandbox.tar
  ./sandbox up --bundle=sandbox.tar    # on the other machine`,
	}
	cmd.AddCommand(newBundleCreate(plan, shared, stderr), newBundleShow())
	return cmd
}

func newBundleCreate(plan Plan, shared *command.Shared, stderr *os.File) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "create FILE",
		Short: "Write a bundle for machines of this architecture",
		Long: `create fetches every image and program, as up does (--images, --registry-mirror), and writes the bundle. FILE is created after
the bundle is complete. The same images and programs result in the same bytes. No container engine is necessary.

With --cluster=kind the bundle has only images, with --cluster=embedded only programs.`,
		Example: "  go run ./sandbox bundle create sandbox.tar\n  go run ./sandbox bundle create --images=source -o json sandbox.tar",
		Args:    command.ExactArgs(1, "the file to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var summary bundle.Summary
			err := shared.WithProgress(cmd.Context(), stderr, func(ctx context.Context, run *lifecycle.Sandbox, progress *ui.Progress) (err error) {
				summary, err = run.CreateBundle(ctx, filepath.Clean(args[0]), plan.Fetches, progress)
				return err
			})
			if err != nil {
				return err
			}
			return writeSummary(cmd.OutOrStdout(), output, summary)
		},
	}
	shared.BindFile(cmd.Flags())
	shared.BindImages(cmd.Flags())
	shared.BindCluster(cmd.Flags())
	command.OutputFlag(cmd, &output)
	return cmd
}

func newBundleShow() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "show FILE",
		Short:   "Verify a bundle and print its contents",
		Long:    "show reads the whole bundle and prints its contents. It fails if the file is truncated or modified. It changes nothing.",
		Example: "  ./sandbox bundle show sandbox.tar",
		Args:    command.ExactArgs(1, "the file to read"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := bundle.Open(cmd.Context(), args[0], "", bundle.Record.Readable)
			if err != nil {
				return err
			}
			defer b.Close()
			return writeSummary(cmd.OutOrStdout(), output, b.Summary())
		},
	}
	command.OutputFlag(cmd, &output)
	return cmd
}

func writeSummary(out io.Writer, output string, s bundle.Summary) error {
	if output == "json" {
		return command.WriteJSON(out, s)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range [][]string{
		{"file", s.File}, {"size", fmt.Sprintf("%d MB", s.Size>>20)}, {"sha256", s.SHA256}, {"platform", s.Platform}, {"sandbox", s.Sandbox}, {"images from", s.Source},
	} {
		command.Row(table, row...)
	}
	for _, image := range s.Images {
		command.Row(table, image.Role, strings.Join(image.Names, ", "))
	}
	for _, program := range s.Programs {
		command.Row(table, program.Component, "program "+program.Name)
	}
	return table.Flush()
}
