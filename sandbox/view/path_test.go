package view

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain"
)

// explainedTrace returns a trace in which a controller was down, with its critical path.
func explainedTrace() *Waterfall {
	conflict := about(span("5", "4", "update_status Head", "CLIENT", 900*ms, 5*ms), "object.kind", "Head")
	conflict.Events = []spantree.Event{{Name: "conflict"}}
	failed := span("6", "2", "get Secret", "CLIENT", 15*ms, ms)
	failed.Status.Code = spantree.StatusError
	w := New(spantree.Build([]spantree.Span{
		span("1", "", "admit Head", "SERVER", 0, 10*ms), span("2", "1", "reconcile Head", "CONSUMER", 12*ms, 30*ms),
		about(span("3", "2", "create ChildA", "PRODUCER", 20*ms, 10*ms), "object.kind", "ChildA"),
		span("4", "1", "reconcile Head", "CONSUMER", 890*ms, 20*ms), conflict, failed,
	}))
	object := explain.Object{Kind: "Head", Name: "web\x1b"}
	id := func(span string) explain.Span {
		return explain.Span{TraceID: "1", SpanID: span, Name: "update", Object: object}
	}
	return w.Explained(explain.Explanation{
		Object: object, Start: w.Begin.Add(-ms), Total: 907 * ms,
		Chain: []explain.Step{{Span: id("3")}, {Span: id("5")}},
		Path: []explain.Segment{
			{Offset: 21 * ms, Duration: 10 * ms, Reason: explain.ReasonWrite, Span: id("3")},
			{Offset: 31 * ms, Duration: 860 * ms, Reason: explain.ReasonDown, Actor: "operator\x1b", Span: id("4")},
			{Offset: 891 * ms, Duration: 10 * ms, Reason: explain.ReasonCode, Span: id("4")},
			{Offset: 901 * ms, Duration: 5 * ms, Reason: explain.ReasonConflict, Span: id("5")},
			{Offset: 906 * ms, Duration: ms, Reason: explain.ReasonUnknown, Span: id("none")},
		},
	})
}

func treeOf(w *Waterfall) string {
	var b strings.Builder
	for _, row := range w.Rows {
		b.WriteString(row.Guides + row.Name + "\n")
	}
	return b.String()
}

// Selections have the parents of their rows, and the axis of the whole trace.
func TestOnly(t *testing.T) {
	t.Parallel()
	w := explainedTrace()
	for selection, want := range map[string]string{
		"":           "admit Head\n├─ reconcile Head\n│  ├─ get Secret\n│  └─ create ChildA\n├─ … controller not running 860ms\n└─ reconcile Head\n   └─ update_status Head\n",
		OnlyPath:     "admit Head\n├─ reconcile Head\n│  └─ create ChildA\n├─ … controller not running 860ms\n└─ reconcile Head\n   └─ update_status Head\n",
		OnlyFailures: "admit Head\n├─ reconcile Head\n│  └─ get Secret\n└─ reconcile Head\n   └─ update_status Head\n",
		OnlyWrites:   "admit Head\n├─ reconcile Head\n│  └─ create ChildA\n└─ reconcile Head\n   └─ update_status Head\n",
	} {
		got := w.Only(selection)
		if diff := cmp.Diff(want, treeOf(got)); diff != "" || got.Total != w.Total || !got.Begin.Equal(w.Begin) {
			t.Errorf("Only(%q) of %s since %s (-want +got):\n%s", selection, got.Total, got.Begin, diff)
		}
	}
	if rows := New(spantree.Build([]spantree.Span{span("1", "", "a", "", 0, ms)})).Only(OnlyFailures).Rows; len(rows) != 0 {
		t.Errorf("a selection without failures has %d rows, want none", len(rows))
	}
}

// The waits of the path are on the axis of the trace, also if the explanation starts earlier.
func TestWaitsOfThePath(t *testing.T) {
	t.Parallel()
	row := explainedTrace().Rows[4]
	if row.Offset != 30*ms || row.Duration != 860*ms || row.Service != `operator\x1b` || !row.Wait {
		t.Errorf("the wait starts at %s and takes %s in %s, want 30ms and 860ms in operator", row.Offset, row.Duration, row.Service)
	}
}

func TestPathInPicturesAndPages(t *testing.T) {
	t.Parallel()
	w := explainedTrace()
	picture := func(w *Waterfall, options SVGOptions) string {
		var out bytes.Buffer
		if err := w.WriteSVG(&out, options); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	with, without := picture(w, SVGOptions{Path: true}), picture(w, SVGOptions{})
	if strings.Count(with, `class="critical"`) != 1 || strings.Contains(without, `class="critical"`) {
		t.Error("the path is not exactly in the picture with SVGOptions.Path")
	}
	for _, want := range []string{`>Head web\x1b: 907ms until the end of update; 95 % operator\x1b controller not running`, ">6 spans, 910ms, 1 failed<", `0 spans. admit Head: `, "The time axis is shorter by 848ms after 42.0ms."} {
		if !strings.Contains(with, want) {
			t.Errorf("the picture does not contain %q:\n%s", want, with)
		}
	}
	if got := picture(w.Only(OnlyFailures), SVGOptions{}); !strings.Contains(got, ">failures: 5 of 6 spans, 910ms, 1 failed<") {
		t.Errorf("the picture of a selection does not say so:\n%s", got)
	}
	var page bytes.Buffer
	if err := w.Only(OnlyPath).WriteHTML(&page, "", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"selection":"path"`, `<script type="application/json" id="trace">{"otlp":{},"why":{"summary":"Head web\\x1b: 907ms until the end of update; `, `"lines":["Head web\\x1b: 907ms until the end of update","`, `"explanation":{"object":{`} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
}

// A trace of 10,000 spans is explained and drawn in time that is linear in the number of spans.
func BenchmarkDraw(b *testing.B) {
	var spans []spantree.Span
	for i := range 10_000 {
		spans = append(spans, span(string(rune('a'+i%26))+time.Duration(i).String(), "", "step", "CLIENT", time.Duration(i)*ms, ms))
	}
	forest := spantree.Build(spans)
	for b.Loop() {
		var out bytes.Buffer
		if err := New(forest).WriteText(&out, TextOptions{Width: 100}); err != nil {
			b.Fatal(err)
		}
	}
}
