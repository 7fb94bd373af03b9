package jaeger

import (
	"encoding/base64"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/apiv2"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// record contains the addresses of a Jaeger whose responses replace the files in testdata: its two
// query interfaces and its OTLP gRPC receiver:
//
//	go test ./sandbox/jaeger -run TestRecorded -record=127.0.0.1:16685,http://127.0.0.1:16686,127.0.0.1:4317
var record = flag.String("record", "", "addresses of a Jaeger to record: QUERY,HTTP,OTLP")

const (
	shopFile = "testdata/shop.otlp.json"
	v2File   = "testdata/shop.api_v2.base64"
	v3File   = "testdata/shop.api_v3.json"
)

// shop returns the original trace.
func shop(t *testing.T) tracetree.Trace {
	t.Helper()
	traces, err := tracetree.ReadOTLP(shopFile, jaegertest.ReadFile(t, shopFile))
	if err != nil || len(traces) != 1 {
		t.Fatalf("%d traces, %v", len(traces), err)
	}
	return traces[0]
}

// recordedSpans returns the spans that Jaeger returned over gRPC.
func recordedSpans(t *testing.T) []model.Span {
	t.Helper()
	var spans []model.Span
	for line := range strings.Lines(string(jaegertest.ReadFile(t, v2File))) { // a span each
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		var s model.Span
		if err := s.Unmarshal(data); err != nil {
			t.Fatal(err)
		}
		spans = append(spans, s)
	}
	return spans
}

// gateway responds like Jaeger's api_v3 over HTTP. It maps paths to responses, and returns the UI
// for other paths.
type gateway map[string]string

func (g gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, found := g[strings.TrimPrefix(r.URL.Path, "/api/v3/")]
	switch {
	case found && body != "":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8") // As Jaeger does.
		_, _ = w.Write([]byte(body))
	case strings.HasPrefix(r.URL.Path, "/api/v3/traces"):
		http.Error(w, `{"error":{"httpCode":404,"message":"No traces found"}}`, http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!DOCTYPE html>\n<html lang=\"en\"><title>Test Page</title>"))
	}
}

// startHTTP serves on loopback until the test ends, and returns a client.
func startHTTP(t *testing.T, handler http.Handler, options ...Option) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return dial(t, server.URL, options...)
}

// Both interfaces return the original spans.
func TestRecorded(t *testing.T) {
	if *record != "" {
		recordAnswers(t, strings.Split(*record, ","))
	}
	sent := shop(t).Spans()
	overGRPC := start(t, &server{spans: recordedSpans(t)})
	overHTTP := startHTTP(t, gateway{"traces/" + jaegertest.ShopID: string(jaegertest.ReadFile(t, v3File))})
	for name, client := range map[string]*Client{"api_v2": overGRPC, "api_v3": overHTTP} {
		trace, err := client.GetTrace(t.Context(), jaegertest.ShopID)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// The order depends on the storage.
		options := []cmp.Option{cmpopts.SortSlices(func(a, b spantree.Span) bool { return a.SpanID < b.SpanID })}
		if name == "api_v2" {
			options = append(options, cmpopts.IgnoreFields(spantree.Link{}, "Attributes"))
		}
		if diff := cmp.Diff(sent, trace.Spans(), options...); diff != "" {
			t.Errorf("%s (-sent +read):\n%s", name, diff)
		}
	}
}

// api_v3 returns all original fields except the schema URLs, which Jaeger's memory storage drops.
func TestRecordedIsWhole(t *testing.T) {
	trace, err := startHTTP(t, gateway{"traces/" + jaegertest.ShopID: string(jaegertest.ReadFile(t, v3File))}).GetTrace(t.Context(), jaegertest.ShopID)
	if err != nil {
		t.Fatal(err)
	}
	alone := func(trace tracetree.Trace) map[string]string {
		spans := map[string]string{}
		for _, one := range trace.Split(1) {
			one.ResourceSpans().At(0).SetSchemaUrl("")
			one.ResourceSpans().At(0).ScopeSpans().At(0).SetSchemaUrl("")
			data, err := new(ptrace.JSONMarshaler).MarshalTraces(one)
			if err != nil {
				t.Fatal(err)
			}
			spans[one.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SpanID().String()] = string(data)
		}
		return spans
	}
	if diff := cmp.Diff(alone(shop(t)), alone(trace)); diff != "" {
		t.Errorf("(-sent +read):\n%s", diff)
	}
	if got := trace.OTLP().ResourceSpans().Len(); got != 2 {
		t.Errorf("got %d resources, want one for each of the two services", got)
	}
}

// A trace that was read over api_v2, written to a file and sent to Jaeger again has no duplicates.
func TestLoadingAgain(t *testing.T) {
	all := apiv2.Traces(recordedSpans(t))
	shop(t).OTLP().ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
	traces := tracetree.FromOTLP(all)
	if len(traces) != 1 || traces[0].Len() != 6 {
		t.Errorf("%d traces, %d spans of the first; want 1 and 6", len(traces), traces[0].Len())
	}
}

// recordAnswers sends the trace twice, to create duplicates, and writes the responses of Jaeger to
// testdata.
func recordAnswers(t *testing.T, addresses []string) {
	t.Helper()
	sender, err := DialOTLP(addresses[2])
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	grpcClient, httpClient := dial(t, addresses[0]), dial(t, addresses[1])
	for range 2 {
		if err := sender.Send(t.Context(), shop(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := WaitStored(t.Context(), grpcClient, shop(t), 0); err != nil {
		t.Fatal(err)
	}
	id, err := model.TraceIDFromString(jaegertest.ShopID)
	if err != nil {
		t.Fatal(err)
	}
	body, err := httpClient.transport.(*httpTransport).get(t.Context(), parameters("raw_traces", "true"), "traces", digits(id))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := grpcClient.transport.(*grpcTransport).query.GetTrace(t.Context(),
		&api_v2.GetTraceRequest{TraceID: id, RawTraces: true})
	if err != nil {
		t.Fatal(err)
	}
	var lines []byte
	for {
		chunk, err := stream.Recv()
		if err != nil {
			break
		}
		for _, s := range chunk.Spans {
			data, err := s.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			lines = append(base64.StdEncoding.AppendEncode(lines, data), '\n')
		}
	}
	for name, data := range map[string][]byte{v3File: body, v2File: lines} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
