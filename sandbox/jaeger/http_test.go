package jaeger

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// searching is an api_v3 that returns the same traces for every search, as Jaeger up to v2.13 does
// for tags.
type searching struct {
	t      *testing.T
	traces []tracetree.Trace
	query  url.Values
}

func (s *searching) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.query = r.URL.Query()
	all := ptrace.NewTraces()
	for _, trace := range s.traces {
		trace.OTLP().ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
	}
	data, err := new(ptrace.JSONMarshaler).MarshalTraces(all)
	if err != nil {
		s.t.Error(err)
	}
	_, _ = w.Write([]byte(`{"result":` + string(data) + `}`))
}

// tracesWith returns a trace for each set of tags.
func tracesWith(tags ...[]model.KeyValue) []tracetree.Trace {
	var traces []tracetree.Trace
	for i, set := range tags {
		span := jaegertest.Span(1, 0, "a", set...)
		span.TraceID = model.NewTraceID(1, uint64(i+1))
		traces = append(traces, traceOf(span))
	}
	return traces
}

func TestFindTracesOverHTTP(t *testing.T) {
	s := &searching{t: t, traces: tracesWith(
		[]model.KeyValue{model.String("user", "x"), model.Int64("n", 1)},
		[]model.KeyValue{model.String("user", "y"), model.Int64("n", 1)},
		[]model.KeyValue{model.String("user", "x"), model.Int64("n", 1), model.Bool("error", true), model.String("span.kind", "server")},
	)}
	client := startHTTP(t, s)
	from := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	q := tracetree.Query{Service: "demo", Operation: "a b", Tags: map[string]string{"user": "x", "n": "1"}, From: from, To: from.Add(time.Hour),
		MinDuration: time.Millisecond, MaxDuration: 90 * time.Second, Limit: 3}
	found := func(q tracetree.Query) []string {
		t.Helper()
		traces, err := client.FindTraces(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, trace := range traces {
			ids = append(ids, trace.ID[31:])
		}
		return ids
	}
	if diff := cmp.Diff([]string(nil), found(q)); diff != "" {
		t.Errorf("no span has both the name and the tags (-want +got):\n%s", diff)
	}
	want := url.Values{
		"query.service_name": {"demo"}, "query.serviceName": {"demo"}, "query.operation_name": {"a b"}, "query.operationName": {"a b"},
		"query.start_time_min": {"2026-01-02T02:04:05.000000006Z"}, "query.startTimeMin": {"2026-01-02T02:04:05.000000006Z"},
		"query.start_time_max": {"2026-01-02T03:04:05.000000006Z"}, "query.startTimeMax": {"2026-01-02T03:04:05.000000006Z"},
		"query.duration_min": {"1ms"}, "query.durationMin": {"1ms"}, "query.duration_max": {"1m30s"}, "query.durationMax": {"1m30s"},
		"query.num_traces": {"4"}, "query.search_depth": {"4"}, "query.searchDepth": {"4"},
		"query.raw_traces": {"true"}, "query.rawTraces": {"true"}, "query.attributes": {`{"n":"1","user":"x"}`},
	}
	if diff := cmp.Diff(want, s.query); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	for tags, want := range map[[2]string][]string{
		{"user", "x"}: {"1", "3"}, {"user", "z"}: nil, {"k8s.pod.name", "pod-0"}: {"1", "2", "3"}, {"error", "true"}: {"3"}, {"error", "false"}: {"1", "2"},
		{"span.kind", "server"}: {"3"}, {"span.kind", "internal"}: {"1", "2"},
	} {
		if diff := cmp.Diff(want, found(tracetree.Query{Service: "demo", Tags: map[string]string{tags[0]: tags[1]}})); diff != "" {
			t.Errorf("traces with %v (-want +got):\n%s", tags, diff)
		}
	}

	// Jaeger returned as many traces as requested, so there can be more with the tag.
	traces, err := client.FindTraces(t.Context(), tracetree.Query{Service: "demo", Tags: map[string]string{"user": "y"}, Limit: 2})
	if !errors.Is(err, tracetree.ErrTruncated) || len(traces) != 1 {
		t.Errorf("%d traces, %v; want 1 and ErrTruncated", len(traces), err)
	}
	// An empty result is valid.
	if traces, err := startHTTP(t, gateway{}).FindTraces(t.Context(), tracetree.Query{Service: "demo"}); err != nil || len(traces) != 0 {
		t.Errorf("%d traces, %v; want none", len(traces), err)
	}
}

func TestInvalidQueries(t *testing.T) {
	now := time.Now()
	for want, q := range map[string]tracetree.Query{
		"service is empty":                         {},
		"before it starts":                         {Service: "a", From: now, To: now.Add(-time.Second)},
		"invalid range of durations from 2s to 1s": {Service: "a", MinDuration: 2 * time.Second, MaxDuration: time.Second},
		"durations from -1ns to 0s":                {Service: "a", MinDuration: -1},
	} {
		_, err := startHTTP(t, gateway{}).FindTraces(t.Context(), q)
		wantFailure(t, now, err, nil, want)
	}
}

// Both interfaces list the same services and operations.
func TestLists(t *testing.T) {
	overGRPC := start(t, &server{services: []string{"b", "a"}, operations: []*api_v2.Operation{
		{Name: "get", SpanKind: "server"}, {Name: "get", SpanKind: "client"}, {Name: "add"}, {Name: "add", SpanKind: "internal"}}})
	overHTTP := startHTTP(t, gateway{"services": `{"services":["b","a"]}`,
		"operations": `{"operations":[{"name":"get","spanKind":"server"},{"name":"get","spanKind":"client"},{"name":"add"},{"name":"add","spanKind":"internal"}]}`})
	want := []Operation{{"add", "INTERNAL"}, {"get", "CLIENT"}, {"get", "SERVER"}}
	for _, client := range []*Client{overGRPC, overHTTP} {
		services, err := client.Services(t.Context())
		if err != nil || !slices.Equal(services, []string{"a", "b"}) {
			t.Errorf("services %v, %v", services, err)
		}
		operations, err := client.Operations(t.Context(), "a")
		if diff := cmp.Diff(want, operations); err != nil || diff != "" {
			t.Errorf("operations, %v (-want +got):\n%s", err, diff)
		}
	}
}

// The client preserves a base path and sends complete trace ids.
func TestPaths(t *testing.T) {
	var path string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		http.Error(w, `{"error":{"httpCode":404}}`, http.StatusNotFound)
	})
	client := startHTTP(t, handler)
	below := dial(t, client.settings.endpoint+"/jaeger/")
	_, err := below.GetTrace(t.Context(), "AB")
	wantFailure(t, time.Now(), err, tracetree.ErrNotFound, "reading trace AB")
	if want := "/jaeger/api/v3/traces/000000000000000000000000000000ab"; path != want {
		t.Errorf("path %s, want %s", path, want)
	}
	for _, id := range []string{"", "xyz", "0", "00", "0123456789abcdef0123456789abcdef0", "ab/../cd", "１２"} {
		path = ""
		_, err := below.GetTrace(t.Context(), id)
		if wantFailure(t, time.Now(), err, nil, "id"); path != "" {
			t.Errorf("requested trace id = %q", id)
		}
	}
}
