package show

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/ui"
	"github.com/operator-tracing/sandbox/sandbox/view"
)

// traceWriters are the values of trace's --output.
var traceWriters = map[string]writeTrace{
	"tree": func(out io.Writer, trace jaeger.Trace, _ string) error { return writeTree(out, trace) },
	"svg": func(out io.Writer, trace jaeger.Trace, title string) error {
		return waterfall(trace).WriteSVG(out, view.SVGOptions{Title: title})
	},
	"html": writePage,
	"json": func(out io.Writer, trace jaeger.Trace, _ string) error { return writeJSONTrace(out, trace) },
}

// writeTrace writes a trace in one form. The title may be empty.
type writeTrace func(out io.Writer, trace jaeger.Trace, title string) error

func traceWriter(output string) (writeTrace, error) {
	if err := command.CheckOutput(output, "tree", "html", "svg", "json"); err != nil {
		return nil, err
	}
	return traceWriters[output], nil
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
	if _, err := fmt.Fprintln(out, heading(trace, 0)); err != nil {
		return err
	}
	columns, _ := ui.Size(out)
	return waterfall(trace).WriteText(out, view.TextOptions{Color: ui.Colored(out), Width: columns})
}

// heading stands above a tree: the id of its trace, and whether the tree is whole. It ends with a newline.
func heading(trace jaeger.Trace, columns int) string {
	text := view.Cut("trace "+trace.ID, columns) + "\n"
	if trace.Cut() {
		text += view.Cut(fmt.Sprintf("not all of it: a tree has at most %d traces and %d spans", jaeger.MaxTraces, jaeger.MaxSpans), columns) + "\n"
	}
	return text
}

func writePage(out io.Writer, trace jaeger.Trace, title string) error {
	data, err := trace.JSON()
	if err != nil {
		return err
	}
	return waterfall(trace).WriteHTML(out, view.HTMLOptions{Title: title, OTLP: data})
}

// waterfall lays out a trace of the operator's.
func waterfall(trace jaeger.Trace) *view.Waterfall {
	return view.New(trace.Forest(), view.Options{Labels: session.Labels()})
}

// recordedTrace reads a trace from a file, or from in where that is called -, with the traces there that continue it. An id, or the
// beginning of one, chooses among several.
func recordedTrace(in io.Reader, file, id string) (jaeger.Trace, error) {
	data, err := readRecording(in, file)
	if err != nil {
		return jaeger.Trace{}, fmt.Errorf("reading a trace: %w", err)
	}
	traces, err := jaeger.ReadOTLP(file, data)
	if err != nil {
		return jaeger.Trace{}, fmt.Errorf("reading a trace: %w", err)
	}
	var found []jaeger.Trace
	var ids []string
	all := traces
	if id == "" {
		traces = jaeger.Join(traces)
	}
	for _, trace := range traces {
		if ids = append(ids, trace.ID); strings.HasPrefix(trace.ID, strings.ToLower(id)) {
			found = append(found, trace)
		}
	}
	if len(found) == 1 {
		return found[0].Continued(all), nil
	}
	const most = 5
	has := strings.Join(ids[:min(most, len(ids))], ", ")
	if more := len(ids) - most; more > 0 {
		has += fmt.Sprintf(" and %d more", more)
	}
	if len(found) == 0 {
		return jaeger.Trace{}, fmt.Errorf("reading a trace: %s has none whose id begins with %q; it has %s", file, id, has)
	}
	return jaeger.Trace{}, fmt.Errorf("reading a trace: %s has several; name one by its id, or the id's beginning: %s", file, has)
}

func readRecording(in io.Reader, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(in)
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New(file + " is a folder; name one file of it")
	}
	return os.ReadFile(file)
}
