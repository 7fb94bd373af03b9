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
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
)

// What became of a trace that was to be imported.
const (
	stateLoaded  = "loaded"   // Jaeger has all of its spans: they were read back.
	stateSent    = "sent"     // The receiver took all of its spans; nobody asked Jaeger.
	stateFailed  = "failed"   // A part of it may be there.
	stateNotSent = "not sent" // An earlier one failed.
)

// importOptions are the flags of import.
type importOptions struct {
	endpoint, query, output string
	headers                 []string
}

func newImport(shared *command.Shared) *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import FILE|FOLDER|-...",
		Short: "Load traces from OTLP JSON files into Jaeger",
		Long: `import reads traces from OTLP JSON and sends them to the sandbox's Jaeger, ids and times unchanged, so that traces of another
day or another machine can be looked at again.

FILE is what "sandbox trace NAME -o json" prints, what the end-to-end tests keep of a failure, what an OpenTelemetry collector
writes (one document a line), or an answer of Jaeger's /api/v3/traces. A folder stands for the .json and .jsonl files in it and
below that hold traces, and - for the standard input.

All files are read before anything is sent: one that is wrong is named with its line and byte, and nothing is loaded. A trace
is called loaded when all of its spans could be read back from Jaeger. Loading it again does no harm:
whoever reads it with this program, or with the package sandbox/jaeger, gets each span once.

--endpoint sends to another receiver of OTLP: HOST:PORT for gRPC, http://HOST:PORT or https://HOST:PORT for HTTP. Then --query
names the Jaeger to read back from, in the same forms; without it traces are called sent, not loaded.`,
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
	flags.StringVar(&o.endpoint, "endpoint", "", "`address` of a receiver of OTLP (default: the sandbox's Jaeger)")
	flags.StringVar(&o.query, "query", "", "`address` of the Jaeger to read back from (default: the sandbox's, without --endpoint)")
	flags.StringArrayVar(&o.headers, "header", nil, "NAME=VALUE to send with every call, for credentials; may be repeated")
	flags.StringVarP(&o.output, "output", "o", "text", "text or json")
	return cmd
}

func (o importOptions) check() error {
	if o.query != "" && o.endpoint == "" {
		return command.Usage(errors.New("--query needs --endpoint: the sandbox's own Jaeger is read back from anyway"))
	}
	for _, header := range o.headers {
		if name, _, found := strings.Cut(header, "="); !found || name == "" {
			return command.Usagef("--header=%s: use NAME=VALUE", header)
		}
	}
	return command.CheckOutput(o.output, "text", "json")
}

// importReport is what -o json prints.
type importReport struct {
	// Endpoint took the spans.
	Endpoint string          `json:"endpoint"`
	Traces   []importedTrace `json:"traces"`
}

type importedTrace struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Spans    int      `json:"spans"`
	Services []string `json:"services"`
	Files    []string `json:"files"`
	// URL is the trace's page; empty where Jaeger's web address is not known.
	URL   string `json:"url,omitempty"`
	Error string `json:"error,omitempty"`
	trace jaeger.Trace
}

// readImports reads everything there is to import. A trace that is in several files is joined.
func readImports(stdin io.Reader, arguments []string) (*importReport, error) {
	all, files := ptrace.NewTraces(), map[string][]string{}
	for _, argument := range arguments {
		found := 0
		err := eachFile(stdin, argument, func(name string, data []byte, optional bool) error {
			traces, err := jaeger.ReadOTLP(name, data)
			if optional && errors.Is(err, jaeger.ErrNoTraces) {
				return nil // Other things are kept as JSON, too.
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
			return nil, fmt.Errorf("reading traces: no .json or .jsonl file with OTLP traces is in %s", argument)
		}
	}
	report := &importReport{}
	for _, trace := range jaeger.FromOTLP(all) {
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

// eachFile calls f with the files that an argument names. Those of a folder are optional: it may hold other files, too.
func eachFile(stdin io.Reader, argument string, f func(name string, data []byte, optional bool) error) error {
	if argument == "-" {
		data, err := io.ReadAll(stdin)
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
		data, err := os.ReadFile(path)
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
		fmt.Fprintf(table, "%s\ttrace %s\t%d spans of %s\t%s\n", t.State, t.ID, t.Spans, strings.Join(t.Services, ", "), t.URL)
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
