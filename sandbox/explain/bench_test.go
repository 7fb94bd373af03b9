package explain_test

import (
	"strconv"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain"
)

// BenchmarkOf explains generated traces. The time per span must not grow with their number.
func BenchmarkOf(b *testing.B) {
	for _, size := range []int{1_000, 10_000, 100_000} {
		spans := generate(1, size)
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := explain.Of(spantree.Build(spans), explain.Options{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(spans)), "ns/span")
		})
	}
}
