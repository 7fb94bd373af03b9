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

	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/view"
)

// label is the attribute behind names in these tests, as in `sandbox trace`.
const label = "operator.object.name"

// recorded returns a trace of the reference operator without an observer.
func recorded(t *testing.T) tracetree.Trace {
	t.Helper()
	data, err := os.ReadFile("testdata/head.json")
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, string(data))
}

func parsed(t *testing.T, otlp string) tracetree.Trace {
	t.Helper()
	traces, err := tracetree.ReadOTLP("the test's trace", []byte(otlp))
	if err != nil || len(traces) != 1 {
		t.Fatalf("reading a trace = %d traces, %v", len(traces), err)
	}
	return traces[0]
}

// pageOf writes a trace's page and returns its address.
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

// explained returns a trace with its explanation.
func explained(t *testing.T, trace tracetree.Trace) *view.Waterfall {
	t.Helper()
	e, err := explain.Of(trace.Forest(), explain.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return view.New(trace.Forest(), label).Explained(e)
}

// explainedPage writes the page of an explained trace and returns its address.
func explainedPage(t *testing.T, trace tracetree.Trace, selection string) string {
	t.Helper()
	otlp, err := trace.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := explained(t, trace).Only(selection).WriteHTML(&page, "", otlp); err != nil {
		t.Fatal(err)
	}
	return fileOf(t, "why.html", page.Bytes())
}

// fileOf writes a file and returns its address.
func fileOf(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

const testTrace = "0123456789abcdef0123456789abcdef"

// spanJSON returns a span of OTLP JSON. Ids are numbers, 0 for none. Times are nanoseconds after a
// fixed moment.
func spanJSON(id, parent int, name string, start, end int64, more string) string {
	const begin = 1_700_000_000_000_000_000
	return fmt.Sprintf(`{"traceId":%q,"spanId":"%016x","parentSpanId":"%016x","name":%q,"kind":%d,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"%s}`,
		testTrace, id, parent, name, id%6, begin+start, begin+end, more)
}

func traceJSON(spans ...string) string {
	return `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"scope":{"name":"lib"},"spans":[` +
		strings.Join(spans, ",") + `]}]}]}`
}

// tangled returns a trace with every structural error that a trace can have.
func tangled() string {
	return traceJSON(
		spanJSON(1, 0, "root", 0, 100, ""), spanJSON(2, 1, "child", 10, 20, ""), spanJSON(3, 99, "lost", 5, 6, ""),
		spanJSON(4, 5, "cycle", 30, 40, ""), spanJSON(5, 6, "cycle", 20, 25, ""), spanJSON(6, 4, "cycle", 50, 51, ""), spanJSON(16, 6, "below the cycle", 50, 51, ""),
		spanJSON(7, 7, "its own parent", 60, 61, ""), spanJSON(2, 3, "taken id", 70, 71, ""), spanJSON(8, 2, "whose child", 11, 12, ""),
		spanJSON(9, 1, "b", 10, 20, ""), spanJSON(10, 1, "a", 10, 20, ""), spanJSON(11, 1, "backwards", 80, 70, `,"status":{"code":2,"message":"clock\tset back"}`),
		spanJSON(12, 1, "", 90, 91, ""), spanJSON(13, 1, " ", 92, 93, ""),
	)
}

// eventful returns a trace with facts of each type, with waits, and with an idle gap.
func eventful() string {
	const ms = 1_000_000
	attributes := func(pairs ...string) string {
		var all []string
		for i := 0; i+1 < len(pairs); i += 2 {
			all = append(all, fmt.Sprintf(`{"key":"operator.%s","value":{%s}}`, pairs[i], pairs[i+1]))
		}
		return `,"attributes":[` + strings.Join(all, ",") + "]"
	}
	text := func(value string) string { return fmt.Sprintf(`"stringValue":%q`, value) }
	number := func(value float64) string { return fmt.Sprintf(`"doubleValue":%g`, value) }
	event := func(name, key, value string) string {
		return fmt.Sprintf(`{"name":%q,"timeUnixNano":"1700000000005000000","attributes":[{"key":%q,"value":{"stringValue":%q}}]}`, name, key, value)
	}
	const failed = `,"status":{"code":2}`
	return traceJSON(
		spanJSON(3, 0, "create Head", 0, 10*ms, attributes("object.kind", text("Head"), "object.name", text("web"), "write.resource_version", text("7"), "write.rate_limiter_wait", number(0.004))),
		spanJSON(5, 3, "reconcile Head", 30*ms, 70*ms, attributes("reconcile.trigger", text("create Head"), "reconcile.cause.name", text("web"), "reconcile.queue_wait", number(0.015),
			"reconcile.result", text("requeue_after"), "reconcile.requeue_after", number(0.9), "reconcile.attempt", `"intValue":"1"`)),
		spanJSON(11, 3, "reconcile Head", 990*ms, 1040*ms, attributes("reconcile.trigger", text("update Pod"), "reconcile.cause.kind", text("Pod"), "reconcile.cause.name", text("web-0"), "reconcile.delay", number(0.9),
			"reconcile.queue_wait", number(0.02), "reconcile.requeue_reason", text("requeue_after"), "reconcile.result", text("error"), "reconcile.attempt", `"intValue":"3"`)+
			failed+`,"events":[`+event("conflict", "k", "v")+"]"),
		spanJSON(17, 3, "reconcile Head", 1050*ms, 1060*ms, attributes("reconcile.delay", number(0.005), "reconcile.requeue_reason", text("error"), "reconcile.trigger", text("requeue"),
			"reconcile.result", text("terminal_error"), "reconcile.read_wait", number(0.002), "error.type", text("x"))),
		spanJSON(9, 17, "update_status Head", 1052*ms, 1057*ms, attributes("write.unchanged", `"boolValue":true`, "object.kind", text("Head"))+
			`,"events":[`+event("Synced: none→True", "k", "v")+","+event("Ready: False→True", "operator.condition.reason", "Up")+"]"),
		spanJSON(15, 17, "get Secret", 1058*ms, 1059*ms, attributes("object.kind", text("Secret"))+failed),
		spanJSON(12, 3, "converge Head", 0, 1060*ms, attributes("object.kind", text("Head"))),
		spanJSON(21, 3, "admit Head", 5*ms, 6*ms, `,"events":[`+event("denied", "operator.admission.message", "no")+"]"),
	)
}

// continued returns a trace that two other processes continue, with spans of equal ids and one with
// a missing parent.
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

// random returns a trace of many spans with a random structure and times of all magnitudes.
func random(seed uint64, count int) string {
	r := rand.New(rand.NewPCG(seed, 0))
	spans := make([]string, count)
	for i := range spans {
		start := r.Int64N(int64(1) << (1 + r.IntN(45)))
		spans[i] = spanJSON(1+r.IntN(count*2), r.IntN(count*2), fmt.Sprintf("span %d", r.IntN(5)), start, start+r.Int64N(int64(1)<<(1+r.IntN(45))), "")
	}
	return traceJSON(spans...)
}
