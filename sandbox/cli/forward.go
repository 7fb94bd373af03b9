package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

func newForward(shared *shared) *cobra.Command {
	return &cobra.Command{
		Use:   "forward",
		Short: "Bring the ports of an existing cluster's Jaeger to this machine, until Ctrl-C",
		Long: `forward prints where on this machine the sandbox's Jaeger can be reached, and keeps it so until Ctrl-C: its web page, its query
API, and where it takes spans. It is for sandboxes on existing clusters (docs/clusters.md); on others Jaeger's ports are here anyway,
and forward only prints them. It needs the permission to create pods/portforward.`,
		Example: "  go run ./sandbox forward",
		Args:    exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := attach(shared)
			if err != nil {
				return err
			}
			if err := run.Reach(cmd.Context()); err != nil {
				return err
			}
			addresses := run.Addresses()
			if addresses[component.OTLPGRPC] == "" {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "Jaeger        %s, which is yours\n", addresses[component.UI])
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Jaeger        %s\nquery API     %s (gRPC)\nOTLP          %s (gRPC), %s (HTTP)\nThrift        %s\n",
				addresses[component.UI], addresses[component.Query], addresses[component.OTLPGRPC], addresses[component.OTLPHTTP], addresses[component.Thrift])
			if err != nil || !run.Existing() {
				return err
			}
			<-cmd.Context().Done() // Ctrl-C is how it ends.
			return nil
		},
	}
}
