package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/up"
)

func newStatus(shared *shared) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say what runs in the sandbox and where Jaeger is",
		Long:  `status looks at the cluster and everything in it now. It exits with 0 if the sandbox is up and whole, else with 1.`,
		Args:  exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output, "text", "json"); err != nil {
				return err
			}
			run, err := up.Open(shared.options)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), lookTimeout)
			defer cancel()
			status, err := run.Status(ctx)
			if err != nil {
				return err
			}
			if err := writeStatus(cmd.OutOrStdout(), output, status); err != nil {
				return err
			}
			if status.State != up.StateUp {
				return errors.New(status.Message)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func writeStatus(out io.Writer, output string, s up.Status) error {
	if output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(s)
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(table, "sandbox\t%s, %s\n", s.Name, s.State)
	if s.Cluster != "" {
		fmt.Fprintf(table, "cluster\t%s\n", describeCluster(s))
		fmt.Fprintf(table, "kubeconfig\t%s\n", s.Kubeconfig)
	}
	if s.Node != nil {
		fmt.Fprintf(table, "node\t%s\n", describeNode(*s.Node))
	}
	if s.State != up.StateDown {
		fmt.Fprintf(table, "Jaeger\t%s\n", s.Jaeger.UI)
		fmt.Fprintf(table, "query API\t%s (gRPC)\n", s.Jaeger.Query)
		fmt.Fprintf(table, "OTLP\t%s (gRPC), %s (HTTP)\n\n", s.Jaeger.OTLPGRPC, s.Jaeger.OTLPHTTP)
	}
	for _, c := range s.Components {
		state := "ready"
		if !c.Ready {
			state = "NOT READY: " + c.Message
		}
		state, details, _ := strings.Cut(state, "\n")
		fmt.Fprintf(table, "%s\t%s\t%s%s\n", c.Name, c.Version, state, describeProcesses(c.Processes))
		for line := range strings.SplitSeq(details, "\n") {
			if line != "" {
				fmt.Fprintf(table, "\t\t  %s\n", line)
			}
		}
	}
	return table.Flush()
}

func describeCluster(s up.Status) string {
	if s.Provider == "" {
		return s.Cluster + ", programs built from source"
	}
	return fmt.Sprintf("%s on %s, images from %s", s.Cluster, s.Provider, s.Images)
}

func describeNode(n up.NodeStatus) string {
	words := []string{"Kubernetes " + n.Kubernetes}
	for _, more := range []string{n.Runtime, n.Image} {
		if more != "" {
			words = append(words, more)
		}
	}
	return strings.Join(words, ", ")
}

// describeProcesses lists process ids, for who wants to look at them with other tools.
func describeProcesses(processes []up.Process) string {
	var ids []string
	for _, p := range processes {
		if p.PID != 0 {
			ids = append(ids, strconv.Itoa(p.PID))
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return ", process " + strings.Join(ids, " ")
}
