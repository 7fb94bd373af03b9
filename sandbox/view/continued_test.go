package view

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// otherTrace is the id of the trace that continues the first one.
const otherTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

// continuedTrace returns a trace that another process continues at its second span. The clock of
// the other process is slightly behind.
func continuedTrace() *Waterfall {
	forest := spantree.Build([]spantree.Span{span("1", "", "update Cache", "CLIENT", 0, 10*ms), span("2", "1", "note", "", 5*ms, ms)})
	root, below := span("1", "", "reconcile Cache", "CONSUMER", -ms, 20*ms), span("3", "1", "create Pod", "PRODUCER", 2*ms, ms)
	root.TraceID, below.TraceID = otherTrace, otherTrace
	root.Status = spantree.Status{Code: spantree.StatusError, Message: "conflict"}
	writer := forest.Roots[0].Children[0]
	writer.Children = spantree.Build([]spantree.Span{root, below}).Roots
	return New(forest)
}

func TestContinuedRows(t *testing.T) {
	t.Parallel()
	w := continuedTrace()
	var traces []string
	for _, row := range w.Rows {
		traces = append(traces, row.Trace)
	}
	if diff := cmp.Diff([]string{"", "", otherTrace, ""}, traces); diff != "" {
		t.Errorf("traces of rows (-want +got):\n%s", diff)
	}
	if start := time.Unix(1000, 0).Add(-ms); w.TraceID != "1" || !w.Begin.Equal(start) {
		t.Errorf("TraceID = %s and Begin = %s, want 1 and %s", w.TraceID, w.Begin, start)
	}
}

// Every output format names the continuing trace once.
func TestContinuedInWords(t *testing.T) {
	t.Parallel()
	const words = "continued in trace " + otherTrace
	w := continuedTrace()
	var lines, svg bytes.Buffer
	if err := w.WriteNew(&lines, map[string]bool{}); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteSVG(&svg, SVGOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]struct{ text, want string }{
		"a pipe":          {written(t, w, TextOptions{}), "  error: conflict, " + words + "\n"},
		"a terminal":      {written(t, w, TextOptions{Width: 100}), "\n      │  " + words + "\n"},
		"colors":          {written(t, w, TextOptions{Color: true}), red + "  error: conflict" + reset + dim + ", " + words + reset + "\n"},
		"watched lines":   {lines.String(), "reconcile Cache  below note  " + words + "  error: conflict\n"},
		"a description":   {svg.String(), "reconcile Cache below note: 20.0ms after 0, error: conflict, " + words + "."},
		"a picture's row": {svg.String(), "✗ reconcile Cache (continued in trace 4bf92f35…)</text>"},
	} {
		if strings.Count(form.text, form.want) != 1 {
			t.Errorf("%s does not contain %q exactly once:\n%s", name, form.want, form.text)
		}
	}
}

// The page contains the spans at which other traces continue, for its script, also if they are not
// selected.
func TestContinuedPage(t *testing.T) {
	t.Parallel()
	for _, selection := range []string{"", OnlyWrites} {
		var page bytes.Buffer
		if err := continuedTrace().Only(selection).WriteHTML(&page, "", []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if want := `"continued":{"` + otherTrace + `":{"trace":"1","span":"2"}}`; !strings.Contains(page.String(), want) {
			t.Errorf("the page of %q does not contain %s:\n%.2000s", selection, want, page.String())
		}
	}
}
