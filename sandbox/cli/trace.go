package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/ui"
	"github.com/operator-tracing/sandbox/sandbox/up"
)

// lookTimeout bounds commands that only look.
const lookTimeout = time.Minute

func newTrace(shared *shared) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "trace [NAMESPACE/]NAME",
		Short: "Print the trace of a Head",
		Long: `trace prints the spans of a Head's current trace as a tree: the one that began with the last change of its spec.

With -o json it prints OTLP JSON, which "sandbox trace import" and other tools can load.

A Head named like a subcommand is written with its namespace: default/import.`,
		Example: "  go run ./sandbox trace head-sample\n  go run ./sandbox trace team-a/web -o json > trace.json\n  go run ./sandbox trace import trace.json",
		Args:    exactArgs(1, "the name of a Head"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output, "tree", "json"); err != nil {
				return err
			}
			name, err := up.ParseHead(args[0])
			if err != nil {
				return usageError{err}
			}
			run, err := attach(shared)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), lookTimeout)
			defer cancel()
			trace, err := run.Trace(ctx, name)
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSONTrace(cmd.OutOrStdout(), trace)
			}
			return writeTree(cmd.OutOrStdout(), trace)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "tree", "tree or json (OTLP JSON)")
	cmd.AddCommand(newImport(shared))
	return cmd
}

// attach opens a sandbox that is up.
func attach(shared *shared) (*up.Run, error) {
	run, err := up.Open(shared.options)
	if err != nil {
		return nil, err
	}
	if err := run.Attach(); err != nil {
		return nil, err
	}
	return run, nil
}

func checkOutput(output string, known ...string) error {
	for _, k := range known {
		if output == k {
			return nil
		}
	}
	return usageError{fmt.Errorf("--output=%s: use %s or %s", output, known[0], known[1])}
}

func writeJSONTrace(out io.Writer, trace jaeger.Trace) error {
	data, err := trace.JSON()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", data)
	return err
}

func writeTree(out io.Writer, trace jaeger.Trace) error {
	fmt.Fprintf(out, "trace %s\n\n", trace.ID)
	return ui.WriteTree(out, trace.Forest(), ui.TreeOptions{Color: ui.Colored(out), Attributes: []string{"operator.object.name"}})
}

// showSample ends up: it waits for the sample's trace to be complete and prints it with Jaeger's addresses.
func showSample(ctx context.Context, run *up.Run, out io.Writer) error {
	name, err := run.Sample()
	if err != nil {
		return err
	}
	trace, err := run.WaitTrace(ctx, name)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nHead %s, ", name)
	if err := writeTree(out, trace); err != nil {
		return err
	}
	addresses := run.Addresses()
	page := ""
	if run.Record.Images == "source" {
		page = " (a placeholder: Jaeger's Go module does not carry its web page)"
	}
	fmt.Fprintf(out, `
Jaeger        %s/trace/%s%s
query API     %s (gRPC)
OTLP          %s (gRPC), %s (HTTP)
kubeconfig    %s

Next: kubectl --kubeconfig %[8]s apply -f config/samples/dummy_v1alpha1_head.yaml, then go run ./sandbox trace NAME
`, addresses.UI, trace.ID, page, addresses.Query, addresses.OTLPGRPC, addresses.OTLPHTTP, run.Dir.Kubeconfig(), shellWord(run.Dir.Kubeconfig()))
	return nil
}
