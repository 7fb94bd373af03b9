package spantree_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// workload is an expected tree and the spans to compare with it.
type workload struct {
	want  *spantree.Tree
	spans []spantree.Span
	ok    bool
}

// twins returns n siblings with the same name. Each has children and attributes of one of several
// kinds.
func twins(n, kinds int) []spantree.Span {
	spans := []spantree.Span{span("r", "", "root", 0)}
	for i := range n {
		s := span(fmt.Sprint("s", i), "r", "reconcile", i)
		s.Attributes = map[string]any{"kind": int64(i % kinds), "all": "same"}
		spans = append(spans, s)
		for j := range 3 {
			spans = append(spans, span(fmt.Sprint("c", i, "-", j), s.SpanID, fmt.Sprint("write ", i%kinds*(j+1)), i))
		}
	}
	return spans
}

// twinLines returns lines for all kinds of twins.
func twinLines(mark string, kinds int, conditions bool) string {
	var b strings.Builder
	b.WriteString("root\n")
	for k := range kinds {
		b.WriteString("  " + mark + "reconcile")
		if conditions {
			fmt.Fprintf(&b, " [kind=%d all=~s.*]", k)
		}
		fmt.Fprintf(&b, "\n    write %d\n    write %d\n    write %d\n", k, 2*k, 3*k)
	}
	return b.String()
}

// overlapping returns spans and lines with the same name. Every pair fits, except for one span,
// which the matcher must try for each line.
func overlapping(n int) ([]spantree.Span, string) {
	spans := []spantree.Span{span("r", "", "root", 0)}
	text := strings.Builder{}
	text.WriteString("root\n")
	for i := range n {
		s := span(fmt.Sprint("s", i), "r", "reconcile", i)
		s.Attributes = map[string]any{"k": "v"}
		spans = append(spans, s)
		fmt.Fprintf(&text, "  reconcile [k=~v|%d]\n", i)
	}
	spans[n].Attributes = nil
	return spans, text.String()
}

func workloads(tb testing.TB) map[string]workload {
	tb.Helper()
	tree := func(text string) *spantree.Tree {
		want, err := spantree.Parse("bench", text)
		if err != nil {
			tb.Fatal(err)
		}
		return want
	}
	overlap, overlapLines := overlapping(1000)
	return map[string]workload{
		"repeated": {tree(twinLines("+ ", 10, false)), twins(2500, 10), true},
		// Many lines with the same name that differ only in their children, or only in a condition.
		"twins by children":   {tree(twinLines("", 2500, false)), twins(2500, 2500), true},
		"twins by conditions": {tree(twinLines("", 2500, true)), twins(2500, 2500), true},
		"equal lines":         {tree("root\n" + strings.Repeat("  reconcile\n    ...\n", 2500)), twins(2500, 7), true},
		"optional, one extra": {tree("root\n" + strings.Repeat("  ? reconcile\n    ...\n", 2499)), twins(2500, 7), false},
		"repeated, overlap":   {tree(strings.ReplaceAll(twinLines("* ", 100, false), "    write", "    ? write") + "  + reconcile\n    ...\n"), twins(2500, 100), true},
		"all fit, one misfit": {tree(overlapLines), overlap, false},
		"bounds":              {tree(twinLines("{1,250} ", 10, false)), twins(2500, 10), true},
		"deep":                {tree(deep("* r", 13)), spansOf(tree(deep("r", 13))), true},
		"dots":                {tree("root\n  reconcile\n    ...\n  ..."), twins(2500, 100), true},
		"100k spans":          {tree(twinLines("+ ", 100, false)), twins(25_000, 100), true},
		"100k twins":          {tree(twinLines("", 25_000, true)), twins(25_000, 25_000), true},
	}
}

// TestWorkloads tests the verdicts of the benchmarks.
func TestWorkloads(t *testing.T) {
	for name, w := range workloads(t) {
		t.Run(name, func(t *testing.T) {
			if r := spantree.Match(w.want, spantree.Build(w.spans)); r.OK() != w.ok {
				t.Errorf("match is %t, want %t\n%.2000s", r.OK(), w.ok, r.Explain())
			}
		})
	}
}

// BenchmarkMatch measures the verdict without an explanation, for 10,000 spans unless the name says
// otherwise.
func BenchmarkMatch(b *testing.B) {
	for name, w := range workloads(b) {
		forest := spantree.Build(w.spans)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if spantree.Match(w.want, forest).OK() != w.ok {
					b.Fatal("wrong verdict")
				}
			}
			b.ReportMetric(float64(len(w.spans)), "spans")
		})
	}
}

// BenchmarkExplain measures a match that fails everywhere, with its explanation.
func BenchmarkExplain(b *testing.B) {
	for name, w := range workloads(b) {
		spans := append([]spantree.Span(nil), w.spans...)
		for i := range spans {
			spans[i].Kind = spantree.KindClient
		}
		want := &spantree.Tree{Roots: w.want.Roots}
		for _, root := range want.Roots {
			root.Kind = spantree.KindServer
			for _, e := range root.Children {
				e.Kind = spantree.KindServer
			}
		}
		forest := spantree.Build(spans)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if spantree.Match(want, forest).Explain() == "" {
					b.Fatal("no explanation")
				}
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	spans := twins(25_000, 100)
	for b.Loop() {
		spantree.Build(spans)
	}
}

// BenchmarkParse reads texts of several sizes. The time per byte should be constant.
func BenchmarkParse(b *testing.B) {
	line := "  + create ChildA [PRODUCER k8s.namespace.name=ns operator.object.name=~head-.+ event=\"Ready: False→True\"(reason=x)]\n"
	for _, size := range []int{50_000, 500_000, 5_000_000} {
		for shape, text := range map[string]string{
			"lines":     "root\n" + strings.Repeat(line, size/len(line)),
			"one name":  strings.Repeat("a ", size/2),
			"one value": "a [k=" + strings.Repeat("v", size) + "]",
			"comments":  "root\n" + strings.Repeat("# [\n", size/4),
			"deep":      strings.Repeat(deep("r", 100), size/deepSize(100)),
		} {
			b.Run(fmt.Sprintf("%s/%d", shape, size), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					if _, err := spantree.Parse("bench", text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func deepSize(levels int) int { return len(deep("r", levels)) }

func BenchmarkRecord(b *testing.B) {
	forest := spantree.Build(twins(2500, 100))
	for b.Loop() {
		if _, err := spantree.Record(forest, spantree.RecordOptions{Fold: true}); err != nil {
			b.Fatal(err)
		}
	}
}
