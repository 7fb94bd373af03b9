package show

import (
	"fmt"
	"io"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/explain/report"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/traces"
	"github.com/operator-tracing/sandbox/sandbox/ui"
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
		return command.WriteJSON(out, e)
	case "html", "svg":
		return traceWriters[output](out, trace, form{title: title, object: object, highlight: true})
	}
	columns, _ := ui.Size(out)
	return writeLines(out, report.Lines(e, columns))
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
