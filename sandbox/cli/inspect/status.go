package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// NewStatus returns the command `sandbox status`.
func NewStatus(shared *command.Shared) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print the sandbox's components and Jaeger's address",
		Long: `status inspects the cluster and its components: the version of each component, the digest of the running image (on an
embedded cluster, the cache key of the program), its age and whether it is ready. It works on an incomplete, stopped or broken
sandbox. It exits with 0 if the sandbox is up and all components are ready, else with 1.

The JSON form is for scripts: docs/status.md describes it.`,
		Example: "  go run ./sandbox status\n  go run ./sandbox status -o json | jq -r .jaeger.ui",
		Args:    command.ExactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			run, err := shared.Open()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), command.LookTimeout)
			defer cancel()
			status, err := run.Status(ctx)
			if err != nil {
				return err
			}
			if err := writeStatus(cmd.OutOrStdout(), output, status); err != nil {
				return err
			}
			if status.State != provider.StateUp {
				return errors.New(status.Message)
			}
			return nil
		},
	}
	command.OutputFlag(cmd, &output)
	return cmd
}

func writeStatus(out io.Writer, output string, s provider.Status) error {
	if output == "json" {
		return command.WriteJSON(out, s)
	}
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(table, "sandbox\t%s, %s\n", s.Name, s.State)
	if s.Cluster != "" {
		fmt.Fprintf(table, "cluster\t%s\n", describeCluster(s))
		fmt.Fprintf(table, "kubeconfig\t%s\n", s.Kubeconfig)
	}
	if s.ControlPlaneTracing {
		fmt.Fprintln(table, "tracing\tkube-apiserver and etcd take part")
	}
	if s.Node != nil {
		fmt.Fprintf(table, "node\t%s\n", describeNode(*s.Node))
	}
	if s.State != provider.StateDown && s.Jaeger != nil {
		fmt.Fprintf(table, "Jaeger\t%s\n", s.Jaeger[component.UI])
		fmt.Fprintf(table, "query API\t%s (gRPC)\n", s.Jaeger[component.Query])
		fmt.Fprintf(table, "OTLP\t%s (gRPC), %s (HTTP)\n\n", s.Jaeger[component.OTLPGRPC], s.Jaeger[component.OTLPHTTP])
	}
	if s.Context != "" {
		describeJaeger(table, s)
	}
	if len(s.Components) > 0 {
		fmt.Fprintln(table, "COMPONENT\tVERSION\tDIGEST\tAGE\tSTATE")
	}
	for _, c := range s.Components {
		state := "ready"
		if !c.Ready {
			state = "NOT READY: " + command.EscapeLines(c.Message)
		}
		state, details, _ := strings.Cut(state, "\n")
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s%s\n", c.Name, c.Version, shortDigest(c.Digest), age(c.Since), state, describeRunning(c))
		for line := range strings.SplitSeq(details, "\n") {
			if line != "" {
				fmt.Fprintf(table, "\t\t\t\t  %s\n", line)
			}
		}
	}
	if s.Message != "" && s.State == provider.StateDegraded && len(s.Components) == 0 {
		fmt.Fprintf(table, "%s\n", command.EscapeLines(s.Message))
	}
	for _, notice := range s.Notices {
		fmt.Fprintf(table, "NOTICE: %s\n", command.EscapeLines(notice))
	}
	return table.Flush()
}

// shortDigest returns the first digits of the first digest, and the number of further digests.
func shortDigest(digests string) string {
	const enough = 12
	all := strings.Fields(digests)
	if len(all) == 0 {
		return ""
	}
	first := strings.TrimPrefix(all[0], "sha256:")
	first = first[:min(enough, len(first))]
	if len(all) > 1 {
		first += fmt.Sprintf(" +%d", len(all)-1)
	}
	return first
}

// age formats the time since an event as kubectl does.
func age(since *time.Time) string {
	if since == nil {
		return ""
	}
	return duration.HumanDuration(time.Since(*since))
}

func describeJaeger(out io.Writer, s provider.Status) {
	switch {
	case s.JaegerEndpoint == "":
		fmt.Fprintf(out, "Jaeger\tin the cluster; %s forwards its ports\n\n", hint.Run("forward"))
	case s.JaegerQuery == "":
		fmt.Fprintf(out, "Jaeger\tyours at %s; not queried without --jaeger-query\n\n", s.JaegerEndpoint)
	default:
		fmt.Fprintf(out, "Jaeger\tyours at %s, queried at %s\n\n", s.JaegerEndpoint, s.JaegerQuery)
	}
}

func describeCluster(s provider.Status) string {
	if s.Context != "" {
		return fmt.Sprintf("%s: context %s at %s, images from %s", s.Cluster, s.Context, s.Server, s.Images)
	}
	if s.Provider == "" {
		return s.Cluster + ", programs from " + s.Images
	}
	return fmt.Sprintf("%s on %s, images from %s", s.Cluster, s.Provider, s.Images)
}

func describeNode(n provider.NodeStatus) string {
	words := []string{"Kubernetes " + n.Kubernetes}
	for _, more := range []string{n.Runtime, n.Image, shortDigest(n.Digest)} {
		if more != "" {
			words = append(words, more)
		}
	}
	if n.Since != nil {
		words = append(words, "up for "+age(n.Since))
	}
	return strings.Join(words, ", ")
}

// describeRunning returns the number of restarts and the process IDs of a component.
func describeRunning(c provider.Component) string {
	words := ""
	if c.Restarts > 0 {
		words = fmt.Sprintf(", %d restarts", c.Restarts)
	}
	var ids []string
	for _, p := range c.Processes {
		if p.PID != 0 {
			ids = append(ids, strconv.Itoa(p.PID))
		}
	}
	if len(ids) > 0 {
		words += ", process " + strings.Join(ids, " ")
	}
	return words
}
