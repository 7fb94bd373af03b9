package jaeger

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/apiv2"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// childUID and childGeneration identify the generation of the object that twoProcesses writes.
const (
	childUID        = "child"
	childGeneration = 3
)

// twoProcesses returns the span of a write in the test's trace, and the span of the reconcile in
// another process, in the trace of the continuation.
func twoProcesses(t *testing.T) []model.Span {
	t.Helper()
	id, err := hex.DecodeString(tracetree.Continuation(childUID, childGeneration))
	if err != nil {
		t.Fatal(err)
	}
	continuation := model.NewTraceID(binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:]))
	object := []model.KeyValue{model.String("operator.object.uid", childUID), model.Int64("operator.object.generation", childGeneration)}
	write := jaegertest.Span(1, 0, "update Child", append(object, model.String("span.kind", "client"))...)
	write.References = []model.SpanRef{model.NewFollowsFromRef(continuation, model.NewSpanID(0xdead))}
	reconcile := jaegertest.Span(2, 0, "reconcile Child", append(object, model.String("span.kind", "consumer"))...)
	reconcile.TraceID = continuation
	return []model.Span{write, reconcile}
}

const twoProcessesTree = "update Child [CLIENT service=demo]\n" +
	"  reconcile Child [CONSUMER]\n"

// A tree is the same over both interfaces: api_v2 has links without attributes.
func TestReadTreeOverBothInterfaces(t *testing.T) {
	t.Parallel()
	spans := twoProcesses(t)
	answers := gateway{}
	for _, trace := range tracetree.FromOTLP(apiv2.Traces(spans)) {
		document, err := trace.JSON()
		if err != nil {
			t.Fatal(err)
		}
		answers["traces/"+trace.ID] = `{"result":` + string(document) + `}`
	}
	for name, client := range map[string]*Client{"api_v2": start(t, &server{spans: spans}), "api_v3": startHTTP(t, answers)} {
		tree, err := tracetree.ReadTree(t.Context(), client, jaegertest.TraceID)
		if err != nil || tree.Forest().String() != twoProcessesTree {
			t.Errorf("%s: error %v, tree\n%swant\n%s", name, err, tree.Forest(), twoProcessesTree)
		}
	}
}

// A client searches for the writer.
func TestFindCurrentOverGRPC(t *testing.T) {
	t.Parallel()
	client := start(t, &server{services: []string{"demo"}, spans: twoProcesses(t)})
	tree, known, err := tracetree.FindCurrent(t.Context(), client, &metav1.ObjectMeta{UID: childUID, Generation: childGeneration})
	if err != nil || !known || tree.Forest().String() != twoProcessesTree {
		t.Errorf("known: %t, error %v, tree\n%swant\n%s", known, err, tree.Forest(), twoProcessesTree)
	}
}

// A tree that was sent is stored when the spans of all its traces are.
func TestWaitStoredTree(t *testing.T) {
	t.Parallel()
	spans := twoProcesses(t)
	client := start(t, &server{spans: spans})
	sent, err := tracetree.ReadTree(t.Context(), client, jaegertest.TraceID)
	if err != nil {
		t.Fatal(err)
	}
	if err := WaitStored(t.Context(), client, sent, 0); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = WaitStored(ctx, start(t, &server{spans: spans[:1]}), sent, time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "1 of 2 spans are missing") {
		t.Errorf("error is %v, want a missing span", err)
	}
}

// Spans of a scope, and traces that have no others, do not exist for a client with WithoutScopes.
func TestWithoutScopes(t *testing.T) {
	t.Parallel()
	scoped := func(id, parent uint64, name, scope string) model.Span {
		return jaegertest.Span(id, parent, name, model.String("otel.scope.name", scope), model.String("kind", name))
	}
	alone := scoped(9, 0, "single", "watcher")
	alone.TraceID = model.NewTraceID(0, 7)
	spans := []model.Span{scoped(1, 0, "create", "library"), scoped(2, 1, "start", "watcher"), scoped(3, 2, "probe", "watcher"), scoped(4, 1, "update", "library"), alone}
	answers, all := gateway{}, ""
	for _, trace := range tracetree.FromOTLP(apiv2.Traces(spans)) {
		document, err := trace.JSON()
		if err != nil {
			t.Fatal(err)
		}
		answers["traces/"+trace.ID] = `{"result":` + string(document) + `}`
		all += answers["traces/"+trace.ID]
	}
	answers["traces"] = all
	for name, client := range map[string]*Client{
		"api_v2": start(t, &server{spans: spans}, WithoutScopes("other"), WithoutScopes("watcher")), "api_v3": startHTTP(t, answers, WithoutScopes("watcher")),
	} {
		trace, err := client.GetTrace(t.Context(), jaegertest.TraceID)
		if got, want := trace.Forest().String(), "create [INTERNAL service=demo]\n  update [INTERNAL]\n"; err != nil || got != want {
			t.Errorf("%s: error %v, forest\n%swant\n%s", name, err, got, want)
		}
		if _, err := client.GetTrace(t.Context(), "7"); !errors.Is(err, tracetree.ErrNotFound) {
			t.Errorf("%s: GetTrace(7) = %v, want %v", name, err, tracetree.ErrNotFound)
		}
		for tag, want := range map[string]int{"create": 1, "start": 0, "single": 0} {
			found, err := client.FindTraces(t.Context(), tracetree.Query{Service: "demo", Tags: map[string]string{"kind": tag}})
			if err != nil || len(found) != want || want > 0 && found[0].Len() != 2 {
				t.Errorf("%s: FindTraces(kind=%s) = %d traces, %v; want %d", name, tag, len(found), err, want)
			}
		}
	}
}
