package cli

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// trace1 and trace2 are the ids of the tests' traces.
const (
	trace1 = "0123456789abcdef0123456789abcde1"
	trace2 = "0123456789abcdef0123456789abcde2"
)

// otlp returns a document with a trace.
func otlp(traceID string, spans ...string) string {
	var list []string
	for _, id := range spans {
		list = append(list, `{"traceId":"`+traceID+`","spanId":"000000000000000`+id+`","name":"a"}`)
	}
	return `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[` +
		strings.Join(list, ",") + `]}]}]}`
}

// store receives OTLP over gRPC and returns it over /api/v3.
type store struct {
	ptraceotlp.UnimplementedGRPCServer
	mu    sync.Mutex
	taken map[string]ptrace.Traces
	// refused is the ID of a trace that it rejects, and lost of a trace that it accepts and loses.
	refused, lost string
	header        string
}

func (s *store) Export(_ context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := request.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID().String()
	if id == s.refused {
		return ptraceotlp.NewExportResponse(), status.Error(codes.InvalidArgument, "not this one")
	}
	kept := ptrace.NewTraces()
	request.Traces().CopyTo(kept)
	s.taken[id] = kept
	return ptraceotlp.NewExportResponse(), nil
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header = r.Header.Get("X-Tenant")
	id := filepath.Base(r.URL.Path)
	kept, found := s.taken[id]
	if id == s.lost {
		http.Error(w, "storage is full", http.StatusInternalServerError)
		return
	}
	if !found {
		http.Error(w, `{"error":{"httpCode":404,"message":"No traces found"}}`, http.StatusNotFound)
		return
	}
	data, _ := new(ptrace.JSONMarshaler).MarshalTraces(kept)
	_, _ = w.Write([]byte(`{"result":` + string(data) + `}`))
}

// startStore returns the values of --endpoint and --query.
func startStore(t *testing.T, s *store) (endpoint, query string) {
	t.Helper()
	s.taken = map[string]ptrace.Traces{}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(g, s)
	done := make(chan struct{})
	go func() { defer close(done); _ = g.Serve(listener) }()
	t.Cleanup(func() { g.Stop(); <-done })
	overHTTP := httptest.NewServer(s)
	t.Cleanup(overHTTP.Close)
	return listener.Addr().String(), overHTTP.URL
}

// writeFiles creates a folder with files: it maps names to contents.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// importedTrace is a trace in the report of import.
type importedTrace struct {
	ID, State, URL  string
	Spans           int
	Services, Files []string
}

func TestImport(t *testing.T) {
	folder := writeFiles(t, map[string]string{
		"TestCreate/trace-1.json": otlp(trace1, "1", "2"), "TestCreate/lines.jsonl": otlp(trace2, "1") + "\n" + otlp(trace1, "2", "3") + "\n",
		"TestCreate/objects.json": `{"kind":"Head"}`, "TestCreate/list.json": `[]`, "TestCreate/trace-1.tree": "no JSON", "operator.log": "{",
	})
	s := &store{}
	endpoint, query := startStore(t, s)
	got := execute(t, "trace", "import", folder, "--endpoint", endpoint, "--query", query, "--header=x-tenant=acme", "-o", "json")
	if got.code != exitOK || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	var report struct {
		Endpoint string
		Traces   []importedTrace
	}
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
		t.Fatalf("stdout %q: %v", got.stdout, err)
	}
	lines, first := filepath.Join(folder, "TestCreate", "lines.jsonl"), filepath.Join(folder, "TestCreate", "trace-1.json")
	want := []importedTrace{
		{ID: trace2, State: "loaded", Spans: 1, Services: []string{"shop"}, Files: []string{lines}, URL: query + "/trace/" + trace2},
		{ID: trace1, State: "loaded", Spans: 3, Services: []string{"shop"}, Files: []string{lines, first}, URL: query + "/trace/" + trace1},
	}
	if diff := cmp.Diff(want, report.Traces); diff != "" || report.Endpoint != endpoint {
		t.Errorf("endpoint %q, want %q; traces (-want +got):\n%s", report.Endpoint, endpoint, diff)
	}
	if s.taken[trace1].SpanCount() != 3 || s.taken[trace2].SpanCount() != 1 || s.header != "acme" {
		t.Errorf("taken %d and %d spans, header %q", s.taken[trace1].SpanCount(), s.taken[trace2].SpanCount(), s.header)
	}

	got = execute(t, "trace", "import", first, "--endpoint", endpoint)
	if got.code != exitOK || !strings.Contains(got.stdout, "sent  trace "+trace1+"  2 spans of shop") || strings.Contains(got.stdout, "loaded") {
		t.Errorf("without --query: %+v", got)
	}
}

// After a failure, the report has the correct state of each trace.
func TestImportThatFails(t *testing.T) {
	file := filepath.Join(writeFiles(t, map[string]string{"t.json": otlp(trace1, "1") + otlp(trace2, "1") + otlp(trace1[:31]+"3", "1")}), "t.json")
	for _, test := range []struct {
		store *store
		want  string
	}{
		{&store{refused: trace2}, "importing trace 2 of 3: sending trace " + trace2 + " (0 of 1 spans accepted)"},
		{&store{lost: trace2}, "storage is full"},
	} {
		endpoint, query := startStore(t, test.store)
		got := execute(t, "trace", "import", file, "--endpoint", endpoint, "--query", query)
		if got.code != exitFailure || !strings.Contains(got.stderr, test.want) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("exit code %d, stderr %q; want one line with %q", got.code, got.stderr, test.want)
		}
		if !strings.Contains(got.stdout, "traces: 1 loaded, 1 failed, 1 not sent; to "+endpoint) {
			t.Errorf("stdout %q", got.stdout)
		}
		if _, taken := test.store.taken[trace1[:31]+"3"]; taken {
			t.Error("a trace was sent after a failure")
		}
	}
}
