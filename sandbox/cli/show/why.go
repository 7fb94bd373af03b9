package show

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/explain/report"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/traces"
	"github.com/operator-tracing/sandbox/sandbox/ui"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

func objectOf(o traces.Object) explain.Object {
	return explain.Object{Kind: o.Kind.Kind, Namespace: o.Namespace, Name: o.Name}
}

// explained explains why an object became ready when it did. If the trace has no write of the object,
// it explains the object of the trace's root.
func explained(trace tracetree.Trace, object explain.Object) (explain.Explanation, error) {
	forest := trace.Forest()
	if e, err := explain.Of(forest, explain.Options{Object: object}); err == nil {
		return e, nil
	}
	e, err := explain.Of(forest, explain.Options{})
	if err != nil {
		return e, fmt.Errorf("explaining trace %s: %w", trace.ID, err)
	}
	return e, nil
}

func writeWhy(out io.Writer, trace tracetree.Trace, object explain.Object, output, title string) error {
	e, err := explained(trace, object)
	if err != nil {
		return err
	}
	switch output {
	case "json":
		return writeExplanation(ui.Raw(out), e)
	case "html", "svg":
		return traceWriters[output](out, trace, form{title: title, object: object, highlight: true})
	}
	columns, _ := ui.Size(out)
	return writeLines(out, report.Lines(e, columns))
}

// writeExplanation writes an explanation as indented JSON. It encodes its long lists by element: the
// text of a whole list can need as much memory as the trace.
func writeExplanation(out io.Writer, e explain.Explanation) error {
	path, chain := e.Path, e.Chain
	e.Path, e.Chain = nil, nil
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	// Quotes in texts are escaped, so these are the fields.
	before, rest, _ := bytes.Cut(data, []byte(`"path": null`))
	between, after, _ := bytes.Cut(rest, []byte(`"chain": null`))
	buffer := bufio.NewWriter(out)
	write := func(data []byte) { _, _ = buffer.Write(format.EscapeJSON(data)) } // Flush returns the first error.
	write(before)
	if err := writeList(write, "path", path); err != nil {
		return err
	}
	write(between)
	if err := writeList(write, "chain", chain); err != nil {
		return err
	}
	write(append(after, '\n'))
	return buffer.Flush()
}

func writeList[T any](write func([]byte), field string, list []T) error {
	write(fmt.Appendf(nil, "%q: [", field))
	for i, element := range list {
		data, err := json.MarshalIndent(element, "    ", "  ")
		if err != nil {
			return err
		}
		if i > 0 {
			write([]byte(","))
		}
		write(append([]byte("\n    "), data...))
	}
	if len(list) > 0 {
		write([]byte("\n  "))
	}
	write([]byte("]"))
	return nil
}

// writeSummary writes a blank line, and why the object became ready when it did in three lines. It
// writes nothing about a trace without spans.
func writeSummary(out io.Writer, trace tracetree.Trace, object explain.Object) error {
	e, err := explained(trace, object)
	if err != nil {
		return nil
	}
	columns, _ := ui.Size(out)
	return writeLines(out, append([]string{""}, report.Summary(e, columns)...))
}

func writeLines(out io.Writer, lines []string) error {
	_, err := fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}
