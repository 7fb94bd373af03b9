package spantree_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// operatorSpans returns the spans of a change of a Head in namespace ns-1, and of a linked change.
func operatorSpans() []spantree.Span {
	object := func(kind, name string, generation int64) map[string]any {
		return map[string]any{
			"operator.object.kind": kind, "operator.object.name": name, "operator.object.generation": generation,
			"operator.object.uid": "7f3c", "k8s.namespace.name": "ns-1", "operator.reconcile.queue_wait": 0.25, "thread.id": int64(7),
		}
	}
	spans := []spantree.Span{
		{SpanID: "1", Name: "admit Head", Kind: "SERVER", Attributes: object("Head", "web", 1)},
		{SpanID: "2", ParentSpanID: "1", Name: "reconcile Head", Kind: "CONSUMER", Attributes: map[string]any{
			"operator.reconcile.id": "x", "operator.reconcile.result": "success"}},
		{SpanID: "3", ParentSpanID: "2", Name: "create ChildA", Kind: "PRODUCER", Attributes: object("ChildA", "web-child-a", 1)},
		{SpanID: "4", ParentSpanID: "1", Name: "reconcile Head", Kind: "CONSUMER"},
		{SpanID: "5", ParentSpanID: "4", Name: "update_status Head", Kind: "CLIENT", Events: []spantree.Event{{Name: "Ready: False→True"}, {Name: "retry"}},
			Status: spantree.Status{Code: "Error"}},
		{SpanID: "6", ParentSpanID: "1", Name: "reconcile Head", Kind: "CONSUMER"},
		{SpanID: "7", ParentSpanID: "6", Name: "update_status Head", Kind: "CLIENT", Events: []spantree.Event{{Name: "Ready: False→True"}},
			Status: spantree.Status{Code: "Error"}},
		{SpanID: "8", Name: "admit Head", Kind: "SERVER", Attributes: object("Head", "web", 2),
			Links: []spantree.Link{{TraceID: "a", SpanID: "1"}, {TraceID: "b0b", SpanID: "c"}, {TraceID: "d", SpanID: "e"}}},
		{SpanID: "9", ParentSpanID: "8", Name: "store", Kind: "SERVER", Service: "api", Status: spantree.Status{Code: "Ok"},
			Links: []spantree.Link{{TraceID: "d", SpanID: "e"}}},
	}
	for i := range spans {
		spans[i].TraceID = "a"
		spans[i].Start = time.Unix(int64(i), 0)
		spans[i].End = spans[i].Start.Add(time.Second)
		if spans[i].Service == "" {
			spans[i].Service = "demo"
		}
	}
	return spans
}

func TestRecord(t *testing.T) {
	variables := map[string]string{"HEAD": "web", "NAMESPACE": "ns-1", "EMPTY": ""}
	tests := map[string]struct {
		options spantree.RecordOptions
		want    string
	}{
		"operator": {spantree.RecordOptions{Variables: variables}, `
admit Head [SERVER service=demo operator.object.uid operator.object.generation=1 operator.object.kind=Head operator.object.name=$HEAD k8s.namespace.name=$NAMESPACE]
  reconcile Head [CONSUMER operator.reconcile.id operator.reconcile.result]
    create ChildA [PRODUCER operator.object.uid operator.object.generation=1 operator.object.kind=ChildA operator.object.name=$HEAD-child-a k8s.namespace.name=$NAMESPACE]
  reconcile Head [CONSUMER]
    update_status Head [CLIENT status=Error]
  reconcile Head [CONSUMER]
    update_status Head [CLIENT status=Error]
admit Head [SERVER service=demo operator.object.uid operator.object.generation=2 operator.object.kind=Head operator.object.name=$HEAD k8s.namespace.name=$NAMESPACE link]
  store [SERVER service=api status=Ok link]
`},
		"folded, chosen": {spantree.RecordOptions{Fold: true, Events: []string{"Ready: *"}, Attributes: []spantree.Rule{
			{Pattern: "operator.object.name", Keep: spantree.KeepNothing}, {Pattern: "*.kind", Keep: spantree.KeepKey}, {Pattern: "operator.*.queue_wait", Keep: spantree.KeepValue},
		}}, `
admit Head [SERVER service=demo operator.object.kind operator.reconcile.queue_wait=0.25]
  reconcile Head [CONSUMER]
    create ChildA [PRODUCER operator.object.kind operator.reconcile.queue_wait=0.25]
  + reconcile Head [CONSUMER]
    update_status Head [CLIENT status=Error event="Ready: False→True"]
admit Head [SERVER service=demo operator.object.kind operator.reconcile.queue_wait=0.25 link]
  store [SERVER service=api status=Ok link]
`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := spantree.Build(operatorSpans())
			tree, err := spantree.Record(got, test.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := diff(strings.TrimPrefix(test.want, "\n"), tree.String()); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
			filled, err := tree.Fill(variables)
			if err != nil {
				t.Fatal(err)
			}
			if r := spantree.Match(filled, got); !r.OK() {
				t.Errorf("the forest does not match its recording:\n%s", r.Explain())
			}
		})
	}
}

// TestRecordIsStable tests that neither ids nor the order of spans change the recording.
func TestRecordIsStable(t *testing.T) {
	record := func(spans []spantree.Span) string {
		tree, err := spantree.Record(spantree.Build(spans), spantree.RecordOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return tree.String()
	}
	random := rand.New(rand.NewPCG(11, 12))
	want := ""
	for round := range 100 {
		spans := operatorSpans()
		for i := range spans {
			spans[i].Start = time.Unix(int64(i/4), 0)
		}
		ids := map[string]string{"": ""}
		for _, s := range spans {
			ids[s.SpanID] = fmt.Sprintf("%016x", random.Uint64())
		}
		for i, s := range spans {
			spans[i].SpanID, spans[i].ParentSpanID = ids[s.SpanID], ids[s.ParentSpanID]
			for j, l := range s.Links {
				if id, known := ids[l.SpanID]; known {
					spans[i].Links[j].SpanID = id
				}
			}
		}
		random.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		if got := record(spans); round == 0 {
			want = got
		} else if got != want {
			t.Fatalf("recorded\n%swant\n%s", got, want)
		}
	}
}

func TestRecordErrors(t *testing.T) {
	chain := make([]spantree.Span, 1100)
	for i := range chain {
		chain[i] = span(fmt.Sprint("s", i), fmt.Sprint("s", i-1), "step", i)
	}
	chain[0].ParentSpanID = ""
	tests := map[string]struct {
		spans []spantree.Span
		want  string
	}{
		"none":      {nil, "recording a forest without spans"},
		"too deep":  {chain, "recording span step s1001: more than 1000 levels"},
		"several":   {[]spantree.Span{span("1", "f", "a", 0), span("2", "f", "b", 1), span("3", "3", "c", 2)}, "recording span a 1: its parent f is missing (problem 1 of 3)"},
		"orphan":    {[]spantree.Span{span("1", "f", "a", 0)}, "recording span a 1: its parent f is missing"},
		"cycle":     {[]spantree.Span{span("1", "1", "a", 0)}, "recording span a 1: it is its own ancestor"},
		"duplicate": {[]spantree.Span{span("1", "", "a", 0), span("1", "", "a", 1)}, "recording span a 1: its id 1 is another span's too"},
	}
	for name, test := range tests {
		tree, err := spantree.Record(spantree.Build(test.spans), spantree.RecordOptions{})
		if tree != nil || err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: tree %v, error %v, want %s", name, tree, err, test.want)
		}
	}
	if tree, err := spantree.Record(spantree.Build(chain[:1001]), spantree.RecordOptions{}); err != nil {
		t.Errorf("1001 levels: %v", err)
	} else if _, err := spantree.Parse("deep", tree.String()); err != nil {
		t.Errorf("1001 levels: %v", err)
	}
}

// TestRecordWithoutService tests a span without a service below a span with one. A line cannot
// express that, so no service is recorded.
func TestRecordWithoutService(t *testing.T) {
	with, without := span("1", "", "a", 0), span("2", "1", "b", 1)
	with.Service = "demo"
	got := spantree.Build([]spantree.Span{with, without})
	tree, err := spantree.Record(got, spantree.RecordOptions{})
	if err != nil || tree.String() != "a\n  b\n" || !spantree.Match(tree, got).OK() {
		t.Errorf("recorded %v, error %v", tree, err)
	}
}
