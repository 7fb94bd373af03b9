package view

import (
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain"
)

// BenchmarkWriteSVG draws traces whose spans are all on the critical path. The time per span must not
// grow with their number.
func BenchmarkWriteSVG(b *testing.B) {
	for _, size := range []int{1_000, 10_000, 100_000} {
		spans := []spantree.Span{span("0", "", "root", "CLIENT", 0, time.Duration(size))}
		var e explain.Explanation
		for i := range size {
			id := strconv.Itoa(i + 1)
			spans = append(spans, span(id, "0", "step", "CLIENT", time.Duration(i), 1))
			e.Path = append(e.Path, explain.Segment{Offset: time.Duration(i), Duration: 1, Span: explain.Span{TraceID: "1", SpanID: id}})
		}
		w := New(spantree.Build(spans))
		e.Start = w.Begin
		w = w.Explained(e)
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := w.WriteSVG(io.Discard, SVGOptions{Path: true}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/span")
		})
	}
}
