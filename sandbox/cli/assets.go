package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/ui"
)

func newAssets(shared *shared, stderr *os.File) *cobra.Command {
	return &cobra.Command{
		Use:   "envtest-assets",
		Short: "Build kube-apiserver, etcd and kubectl, and print their folder",
		Long: `envtest-assets builds the programs of a control plane from source, unless the cache has them, and prints the folder
that envtest wants in KUBEBUILDER_ASSETS. They are the binaries that the sandbox's own node runs.`,
		Example: `  KUBEBUILDER_ASSETS=$(go run ./sandbox envtest-assets) go test ./operator/...`,
		Args:    exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := shared.open()
			if err != nil {
				return err
			}
			progress := ui.NewProgress(stderr)
			step := progress.Step("control plane programs")
			folder, err := run.ControlPlaneBinaries(cmd.Context(), step.Detail)
			step.End(err)
			progress.Close()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), folder)
			return nil
		},
	}
}
