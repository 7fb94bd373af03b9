package show

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// States of an imported trace.
const (
	stateLoaded  = "loaded"   // All spans were read back from Jaeger.
	stateSent    = "sent"     // The receiver accepted all spans. They were not read back.
	stateFailed  = "failed"   // Jaeger may have some of its spans.
	stateNotSent = "not sent" // An earlier trace failed.
)

type importOptions struct {
	endpoint, query, output string
	headers                 []string
}

func newImport(shared *command.Shared) *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import FILE|FOLDER|-...",
		Short: "Load traces from OTLP JSON files into Jaeger",
		Long: `import reads traces from OTLP JSON and sends them to the sandbox's Jaeger with the original IDs and times. Use it to view
traces of another day or of another machine.

FILE has the output of "sandbox trace NAME -o json", a trace that the end-to-end tests saved, the output of an OpenTelemetry
Collector (one document per line), or a response of Jaeger's /api/v3/traces. A folder selects all .json and .jsonl files with
traces in it and in its subfolders. A dash (-) selects the standard input.

import reads all files before it sends a span. If a file is invalid, the error has its line and byte, and nothing is loaded. A
trace is "loaded" after all of its spans were read back from Jaeger. You can load a trace repeatedly: this program and the
package sandbox/jaeger read each span once.

--endpoint selects another OTLP receiver: HOST:PORT for gRPC, http://HOST:PORT or https://HOST:PORT for HTTP. --query then
selects the Jaeger to read back from, in the same forms. Without --query, traces are "sent", not "loaded".`,
		Example: `  go run ./sandbox trace head-sample -o json > trace.json
  go run ./sandbox trace import trace.json
  go run ./sandbox trace import artifacts/TestCreate
  go run ./sandbox trace import --endpoint=http://127.0.0.1:4318 --query=http://127.0.0.1:16686 trace.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return command.Usage(errors.New("expected files or folders with OTLP JSON, got none"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if err := command.CheckRules(cmd.Flags(), shared.Options.Origins, []command.Rule{{Flag: "query", Needs: []string{"endpoint"}}}); err != nil {
				return err
			}
			report, err := readImports(cmd.InOrStdin(), args)
			if err != nil {
				return err
			}
			loader, err := newLoader(cmd.Context(), shared, o)
			if err != nil {
				return err
			}
			defer loader.close()
			failure := loader.load(cmd.Context(), report)
			return errors.Join(report.write(cmd.OutOrStdout(), o.output), failure)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.endpoint, "endpoint", "", "`address` of an OTLP receiver (default the sandbox's Jaeger)")
	flags.StringVar(&o.query, "query", "", "`address` of the Jaeger to read back from (default the sandbox's Jaeger, without --endpoint)")
	flags.StringArrayVar(&o.headers, "header", nil, "NAME=VALUE for each request, for example credentials; can be repeated")
	flags.StringVarP(&o.output, "output", "o", "text", "output format: text or json")
	return cmd
}

func (o importOptions) check() error {
	for _, header := range o.headers {
		if name, _, found := strings.Cut(header, "="); !found || name == "" {
			return command.Usagef("--header=%s: use NAME=VALUE", header)
		}
	}
	return command.CheckOutput(o.output, "text", "json")
}

// importReport is the JSON form of the result.
type importReport struct {
	// Endpoint is the receiver of the spans.
	Endpoint string          `json:"endpoint"`
	Traces   []importedTrace `json:"traces"`
}

type importedTrace struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Spans    int      `json:"spans"`
	Services []string `json:"services"`
	Files    []string `json:"files"`
	// URL is the address of the trace's page. It is empty if Jaeger's web address is unknown.
	URL   string `json:"url,omitempty"`
	Error string `json:"error,omitempty"`
	trace tracetree.Trace
}

// readImports reads all files. It merges the spans of a trace that is in several files.
func readImports(stdin io.Reader, arguments []string) (*importReport, error) {
	all, files := ptrace.NewTraces(), map[string][]string{}
	for _, argument := range arguments {
		found := 0
		err := eachFile(stdin, argument, func(name string, data []byte, optional bool) error {
			traces, err := tracetree.ReadOTLP(name, data)
			if optional && errors.Is(err, tracetree.ErrNoTraces) {
				return nil // A folder can have other JSON files.
			}
			if err != nil {
				return fmt.Errorf("reading traces: %w", err)
			}
			found++
			for _, trace := range traces {
				files[trace.ID] = append(files[trace.ID], name)
				trace.OTLP().ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if found == 0 {
			return nil, fmt.Errorf("reading traces: no .json or .jsonl file with OTLP traces in %s", argument)
		}
	}
	report := &importReport{}
	for _, trace := range tracetree.FromOTLP(all) {
		imported := importedTrace{ID: trace.ID, State: stateNotSent, Spans: trace.Len(), Files: slices.Compact(files[trace.ID]), trace: trace}
		for _, span := range trace.Spans() {
			imported.Services = append(imported.Services, span.Service)
		}
		slices.Sort(imported.Services)
		imported.Services = slices.Compact(imported.Services)
		report.Traces = append(report.Traces, imported)
	}
	return report, nil
}

// eachFile calls f for each file of an argument. The files of a folder are optional, because a
// folder can have other files.
func eachFile(stdin io.Reader, argument string, f func(name string, data []byte, optional bool) error) error {
	if argument == "-" {
		data, err := input.Read(stdin, input.MaxTraces)
		if err != nil {
			return fmt.Errorf("reading traces from the standard input: %w", err)
		}
		return f("standard input", data, false)
	}
	info, err := os.Stat(argument)
	if err != nil {
		return fmt.Errorf("reading traces: %w", err)
	}
	return filepath.WalkDir(argument, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("reading traces: %w", err)
		}
		if info.IsDir() && (!entry.Type().IsRegular() || filepath.Ext(path) != ".json" && filepath.Ext(path) != ".jsonl") {
			return nil
		}
		data, err := input.ReadFile(path, input.MaxTraces)
		if err != nil {
			return fmt.Errorf("reading traces: %w", err)
		}
		return f(path, data, info.IsDir())
	})
}

func (r *importReport) write(out io.Writer, output string) error {
	if output == "json" {
		return command.WriteJSON(out, r)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	counts := map[string]int{}
	for _, t := range r.Traces {
		counts[t.State]++
		command.Row(table, t.State, "trace "+t.ID, fmt.Sprintf("%d spans of %s", t.Spans, strings.Join(t.Services, ", ")), t.URL)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	var words []string
	for _, state := range []string{stateLoaded, stateSent, stateFailed, stateNotSent} {
		if counts[state] > 0 {
			words = append(words, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	_, err := fmt.Fprintf(out, "\ntraces: %s; to %s\n", strings.Join(words, ", "), r.Endpoint)
	return err
}
