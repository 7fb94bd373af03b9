package session

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/selftrace"
)

// A request below the span of an apply names that span as its parent; one that has no span names none.
func TestPropagated(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("traceparent") }))
	defer server.Close()
	recorder := selftrace.NewRecorder()
	command, span := recorder.Start(t.Context(), "sandbox up")
	defer span.End()
	untraced := trace.ContextWithSpanContext(command, trace.SpanContext{})
	applying, done := beginApply(untraced, recorder, &unstructured.Unstructured{Object: map[string]any{"kind": "Head"}})
	defer done(nil)
	own := trace.SpanContextFromContext(applying)
	if own.TraceID() == span.SpanContext().TraceID() {
		t.Error("an apply is part of the command's own trace, want one of its own")
	}
	client := http.Client{Transport: propagator{http.DefaultTransport}}
	for name, ctx := range map[string]struct {
		request *http.Request
		want    string
	}{
		"no span": {mustRequest(t, server.URL).WithContext(untraced), ""},
		"apply":   {mustRequest(t, server.URL).WithContext(applying), own.TraceID().String() + "-" + own.SpanID().String() + "-01"},
	} {
		response, err := client.Do(ctx.request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if !strings.HasSuffix(got, ctx.want) || (got == "") != (ctx.want == "") {
			t.Errorf("%s: traceparent %q, want it to end with %q", name, got, ctx.want)
		}
	}
}

func mustRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return request
}
