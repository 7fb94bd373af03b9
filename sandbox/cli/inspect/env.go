package inspect

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// NewEnv returns the command `sandbox env`.
func NewEnv(shared *command.Shared) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print shell commands that point programs at the sandbox",
		Long: `env prints export commands for a shell: KUBECONFIG, and the standard variables that make a program with OpenTelemetry send
its traces to the sandbox's Jaeger. On an existing cluster it prints only KUBECONFIG; use "sandbox forward" for Jaeger's ports.`,
		Example: "  eval \"$(go run ./sandbox env)\"",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := shared.Attach()
			if err != nil {
				return err
			}
			out := ui.Raw(cmd.OutOrStdout()) // A shell reads it.
			if run.Existing() {              // Jaeger has no ports on this machine: see NewForward.
				_, err := fmt.Fprintf(out, "export KUBECONFIG=%s\n", hint.ShellQuote(run.Dir.Kubeconfig()))
				return err
			}
			addresses := run.Addresses()
			var script strings.Builder
			variables := [][2]string{{"KUBECONFIG", run.Dir.Kubeconfig()}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, {"OTEL_BSP_SCHEDULE_DELAY", "200"}}
			for _, p := range component.AllPorts() {
				if p.Variable != "" {
					variables = append(variables, [2]string{p.Variable, "http://" + strings.TrimPrefix(addresses[p.Name], "http://")})
				}
			}
			for _, v := range variables {
				fmt.Fprintf(&script, "export %s=%s\n", v[0], hint.ShellQuote(v[1]))
			}
			_, err = io.WriteString(out, script.String())
			return err
		},
	}
}

// NewForward returns the command `sandbox forward`.
func NewForward(shared *command.Shared) *cobra.Command {
	return &cobra.Command{
		Use:   "forward",
		Short: "Forward the ports of an existing cluster's Jaeger to this machine, until Ctrl-C",
		Long: `forward makes the sandbox's Jaeger reachable from this machine until Ctrl-C, and prints the addresses: the web page, the query
API, and the receivers of spans. It is for sandboxes on existing clusters (docs/clusters.md). On other clusters Jaeger's ports are
always on this machine, and forward only prints them. It needs the permission to create pods/portforward.`,
		Example: "  go run ./sandbox forward",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := shared.Attach()
			if err != nil {
				return err
			}
			if err := run.Reach(cmd.Context()); err != nil {
				return err
			}
			addresses := run.Addresses()
			if addresses[component.OTLPGRPC] == "" {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "Jaeger        %s (yours)\n", addresses[component.UI])
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), describePorts(addresses))
			if err != nil || !run.Existing() {
				return err
			}
			<-cmd.Context().Done() // Until Ctrl-C.
			return nil
		},
	}
}

// describePorts returns the addresses of the table's ports, a line for each label.
func describePorts(addresses map[string]string) string {
	var lines []string
	last := ""
	for _, p := range component.AllPorts() {
		label, text := cmp.Or(p.Label, p.Name), addresses[p.Name]
		if p.Protocol != "" {
			text += " (" + p.Protocol + ")"
		}
		if label == last {
			lines[len(lines)-1] += ", " + text
			continue
		}
		lines, last = append(lines, fmt.Sprintf("%-13s %s", label, text)), label
	}
	return strings.Join(lines, "\n") + "\n"
}
