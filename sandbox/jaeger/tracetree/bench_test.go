package tracetree

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// recorded returns OTLP JSON of a number of spans with the attributes of a write.
func recorded(spans int) []byte {
	var b strings.Builder
	b.WriteString(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"demo"}}]},"scopeSpans":[{"scope":{"name":"tracing"},"spans":[`)
	for i := range spans {
		fmt.Fprintf(&b, `{"traceId":"0123456789abcdef00000000000000aa","spanId":"%016x","parentSpanId":"0000000000000001","name":"update_status Head","kind":3,`+
			`"startTimeUnixNano":"17953896000%09d","endTimeUnixNano":"17953896001%09d","attributes":[`, i+1, i, i)
		for j, key := range []string{"object.group", "object.version", "object.kind", "object.name", "object.uid", "reconcile.id", "write.resource_version"} {
			fmt.Fprintf(&b, `{"key":"operator.%s","value":{"stringValue":"value %d of span %d"}},`, key, j, i)
		}
		b.WriteString(`{"key":"operator.object.generation","value":{"intValue":"1"}}],"status":{}},`)
	}
	return []byte(strings.TrimSuffix(b.String(), ",") + `]}]}]}`)
}

// BenchmarkReadOTLP reads a file and builds its tree. It reports the allocated and the kept bytes for
// each byte of the file.
func BenchmarkReadOTLP(b *testing.B) {
	for _, size := range []int{1_000, 10_000, 100_000} {
		data := recorded(size)
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for b.Loop() {
				traces, err := ReadOTLP("bench", data)
				if err != nil {
					b.Fatal(err)
				}
				forest := traces[0].Forest()
				b.StopTimer()
				allocated := after.TotalAlloc
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.TotalAlloc-max(allocated, before.TotalAlloc))/float64(len(data)), "allocated/byte")
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(data)), "kept/byte")
				runtime.KeepAlive(forest)
				runtime.KeepAlive(traces)
				b.StartTimer()
			}
			b.SetBytes(int64(len(data)))
		})
	}
}
