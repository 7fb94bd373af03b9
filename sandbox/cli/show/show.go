package show

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/explain/report"
	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/traces"
	"github.com/operator-tracing/sandbox/sandbox/ui"
	"github.com/operator-tracing/sandbox/sandbox/view"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

var traceWriters = map[string]writeTrace{
	"tree": writeTree,
	"svg": func(out io.Writer, trace tracetree.Trace, f form) error {
		return f.waterfall(trace).WriteSVG(ui.Raw(out), view.SVGOptions{Title: titleOf(trace, f.title), Path: f.highlight})
	},
	"html": writePage,
	"json": writeJSONTrace,
}

// form says how a trace is drawn.
type form struct {
	title string // can be empty
	// object is explained, or the object of the trace's root.
	object explain.Object
	// only is the selection of spans; empty for all.
	only string
	// highlight draws the critical path in a picture.
	highlight bool
	// brief omits the summary above a tree.
	brief bool
}

// writeTrace writes a trace in one format.
type writeTrace func(out io.Writer, trace tracetree.Trace, f form) error

func traceWriter(output string) (writeTrace, error) {
	if err := command.CheckOutput(output, "tree", "html", "svg", "json"); err != nil {
		return nil, err
	}
	return traceWriters[output], nil
}

func writeJSONTrace(out io.Writer, trace tracetree.Trace, _ form) error {
	data, err := trace.JSON()
	if err != nil {
		return err
	}
	return command.PrintJSON(out, data)
}

func writeTree(out io.Writer, trace tracetree.Trace, f form) error {
	columns, _ := ui.Size(out)
	above := heading(trace, 0)
	if e, err := explained(trace, f.object); err == nil && !f.brief {
		above += report.Line(e, columns) + "\n"
	}
	drawn := f.waterfall(trace)
	if len(drawn.Rows) == 0 && trace.Len() > 0 {
		above += fmt.Sprintf("\nno span matches --only=%s", f.only)
	}
	if _, err := fmt.Fprintln(out, above); err != nil {
		return err
	}
	return drawn.WriteText(ui.Raw(out), view.TextOptions{Color: ui.Colored(out), Width: columns})
}

// heading returns the lines above a tree: the ID of its trace, and a note if the tree is
// incomplete. It ends with a newline.
func heading(trace tracetree.Trace, columns int) string {
	text := format.Cut("trace "+trace.ID, columns) + "\n"
	if traces.Reconstructed(trace) {
		text += format.Cut("reconstructed from objects and Events, times have a resolution of 1 s", columns) + "\n"
		for _, gap := range traces.Gaps(trace) {
			text += format.Cut(gap, columns) + "\n"
		}
	}
	if trace.Cut() {
		text += format.Cut(fmt.Sprintf("incomplete: a tree has at most %d traces and %d spans", tracetree.MaxTraces, tracetree.MaxSpans), columns) + "\n"
	}
	return text
}

func writePage(out io.Writer, trace tracetree.Trace, f form) error {
	data, err := trace.JSON()
	if err != nil {
		return err
	}
	return f.waterfall(trace).WriteHTML(ui.Raw(out), titleOf(trace, f.title), data)
}

// titleOf returns the title of a page or picture, which says if the trace is reconstructed.
func titleOf(trace tracetree.Trace, title string) string {
	if traces.Reconstructed(trace) {
		title = cmp.Or(title, "Trace "+trace.ID) + " (reconstructed, resolution 1 s)"
	}
	return title
}

func waterfall(trace tracetree.Trace) *view.Waterfall {
	return view.New(trace.Forest(), session.Labels()...)
}

// waterfall returns the spans of a form, with the critical path of the trace.
func (f form) waterfall(trace tracetree.Trace) *view.Waterfall {
	w := waterfall(trace)
	if e, err := explained(trace, f.object); err == nil {
		w = w.Explained(e)
	}
	return w.Only(f.only)
}

// recordedTrace reads a trace from a file, or from in if the name is -, with the traces in the file
// that continue it. The prefix of an ID selects one of several traces.
func recordedTrace(in io.Reader, file, id string) (tracetree.Trace, error) {
	data, err := readRecording(in, file)
	if err != nil {
		return tracetree.Trace{}, fmt.Errorf("reading a trace: %w", err)
	}
	traces, err := tracetree.ReadOTLP(file, data)
	if err != nil {
		return tracetree.Trace{}, fmt.Errorf("reading a trace: %w", err)
	}
	var found []tracetree.Trace
	var ids []string
	all := traces
	if id == "" {
		traces = tracetree.Join(traces)
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
		return tracetree.Trace{}, fmt.Errorf("reading a trace: no trace ID in %s starts with %q; the IDs are %s", file, id, has)
	}
	return tracetree.Trace{}, fmt.Errorf("reading a trace: %s has several traces; pass an ID or its first digits: %s", file, has)
}

func readRecording(in io.Reader, file string) ([]byte, error) {
	if file == "-" {
		return input.Read(in, input.MaxTraces)
	}
	return input.ReadFile(file, input.MaxTraces)
}
