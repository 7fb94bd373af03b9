package session

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// A request below the span of an apply names that span as its parent; one that has no span names none.
func TestPropagated(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("traceparent") }))
	defer server.Close()
	untraced := trace.ContextWithSpanContext(t.Context(), trace.SpanContext{})
	own := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	applying := trace.ContextWithSpanContext(untraced, own)
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

// The reference operator trusts the user that applies the sample, unless the user sets its trusted
// writers, or the cluster is a user's.
func TestTrustedApplier(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		session *Session
		want    string
	}{
		"reference operator": {&Session{}, workload.ApplierUser},
		"set by the user":    {&Session{Options: Options{OperatorEnv: []string{"OPERATOR_TRUSTED_WRITERS=me"}}}, "me"},
		"another operator":   {&Session{Record: state.Record{File: "sandbox.yaml"}}, ""},
		"a user's cluster":   {&Session{shared: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.session.OperatorEnvironment()[trustedWriters]; got != test.want {
				t.Errorf("trusted writers = %q, want %q", got, test.want)
			}
		})
	}
}
