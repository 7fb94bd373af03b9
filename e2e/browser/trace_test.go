package browser

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/view"
)

// label is the attribute that stands behind names in these tests, as it does in `sandbox trace`.
const label = "operator.object.name"

// recorded is the recording that the README's picture is made of.
func recorded(t *testing.T) tracetree.Trace {
	t.Helper()
	data, err := os.ReadFile("../../docs/trace.json")
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, string(data))
}

func parsed(t *testing.T, otlp string) tracetree.Trace {
	t.Helper()
	traces, err := tracetree.ReadOTLP("the test's trace", []byte(otlp))
	if err != nil || len(traces) != 1 {
		t.Fatalf("reading a trace gives %d: %v", len(traces), err)
	}
	return traces[0]
}

// pageOf writes a trace's page and gives its address.
func pageOf(t *testing.T, trace tracetree.Trace) string {
	t.Helper()
	otlp, err := trace.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := view.New(trace.Forest(), label).WriteHTML(&page, "", otlp); err != nil {
		t.Fatal(err)
	}
	return fileOf(t, "trace.html", page.Bytes())
}

// fileOf writes a file and gives its address.
func fileOf(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

const testTrace = "0123456789abcdef0123456789abcdef"

// spanJSON is a span of OTLP JSON. Ids are numbers, 0 for none; times are nanoseconds after a fixed moment.
func spanJSON(id, parent int, name string, start, end int64, more string) string {
	const begin = 1_700_000_000_000_000_000
	return fmt.Sprintf(`{"traceId":%q,"spanId":"%016x","parentSpanId":"%016x","name":%q,"kind":%d,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"%s}`,
		testTrace, id, parent, name, id%6, begin+start, begin+end, more)
}

func traceJSON(spans ...string) string {
	return `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"scope":{"name":"lib"},"spans":[` +
		strings.Join(spans, ",") + `]}]}]}`
}

// tangled is a trace with every fault that a trace's shape can have.
func tangled() string {
	return traceJSON(
		spanJSON(1, 0, "root", 0, 100, ""), spanJSON(2, 1, "child", 10, 20, ""), spanJSON(3, 99, "lost", 5, 6, ""),
		spanJSON(4, 5, "cycle", 30, 40, ""), spanJSON(5, 6, "cycle", 20, 25, ""), spanJSON(6, 4, "cycle", 50, 51, ""), spanJSON(16, 6, "below the cycle", 50, 51, ""),
		spanJSON(7, 7, "its own parent", 60, 61, ""), spanJSON(2, 3, "taken id", 70, 71, ""), spanJSON(8, 2, "whose child", 11, 12, ""),
		spanJSON(9, 1, "b", 10, 20, ""), spanJSON(10, 1, "a", 10, 20, ""), spanJSON(11, 1, "backwards", 80, 70, `,"status":{"code":2,"message":"clock\tset back"}`),
		spanJSON(12, 1, "", 90, 91, ""), spanJSON(13, 1, " ", 92, 93, ""),
	)
}

// continued is a trace that two other processes continue, with spans of equal ids and one whose parent is missing.
func continued(t *testing.T) tracetree.Trace {
	t.Helper()
	writes := func(uid string) (continuation, more string) {
		continuation = tracetree.Continuation(uid, 2)
		return continuation, fmt.Sprintf(`,"attributes":[{"key":"operator.object.uid","value":{"stringValue":%q}},{"key":"operator.object.generation","value":{"intValue":"2"}}],
			"links":[{"traceId":%q,"spanId":"00000000000000ff"}]`, uid, continuation)
	}
	in := func(trace string, span string) string { return strings.Replace(span, testTrace, trace, 1) }
	first, toFirst := writes("first")
	second, toSecond := writes("second")
	traces, err := tracetree.ReadOTLP("the test's traces", []byte(traceJSON(
		in(second, spanJSON(1, 0, "reconcile second", 40, 50, "")), in(first, spanJSON(1, 0, "reconcile first", 20, 60, "")),
		in(first, spanJSON(2, 1, "update second", 30, 35, toSecond)), in(first, spanJSON(3, 99, "lost", 25, 26, "")),
		spanJSON(1, 0, "admit", 0, 100, ""), spanJSON(2, 1, "update first", 10, 15, toFirst), spanJSON(3, 2, "note", 22, 23, ""),
	)))
	trees := tracetree.Join(traces)
	if err != nil || len(trees) != 1 || len(trees[0].TraceIDs()) != 3 {
		t.Fatalf("reading a tree of three traces = %d trees, %v; want one", len(trees), err)
	}
	return trees[0]
}

// random is a trace of many spans in any shape, with times of all sizes.
func random(seed uint64, count int) string {
	r := rand.New(rand.NewPCG(seed, 0))
	spans := make([]string, count)
	for i := range spans {
		start := r.Int64N(int64(1) << (1 + r.IntN(45)))
		spans[i] = spanJSON(1+r.IntN(count*2), r.IntN(count*2), fmt.Sprintf("span %d", r.IntN(5)), start, start+r.Int64N(int64(1)<<(1+r.IntN(45))), "")
	}
	return traceJSON(spans...)
}
