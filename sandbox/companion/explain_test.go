package companion

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// The gate explains traces, also below a base path, to local pages only, and passes all other requests
// to Jaeger.
func TestExplaining(t *testing.T) {
	t.Parallel()
	const id = "0123456789abcdef0123456789abcdef"
	traces, err := tracetree.ReadOTLP("a", []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"`+id+`","spanId":"1111111111111111","name":"a","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	handler := explaining(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "jaeger")
	}), func(_ context.Context, wanted string) (tracetree.Trace, error) {
		switch wanted {
		case id:
			return traces[0], nil
		case "gone":
			return tracetree.Trace{}, tracetree.ErrNotFound
		}
		return tracetree.Trace{}, errors.New("no connection")
	})
	const explained = `"why":{"summary":"1ns until the end of a; `
	for _, test := range []struct {
		method, host, path string
		code               int
		want               string
	}{
		{http.MethodGet, "localhost:1", "/sandbox/traces/" + id, http.StatusOK, explained},
		{http.MethodGet, "localhost:1", "/some/jaeger/sandbox/traces/" + id, http.StatusOK, explained},
		{http.MethodGet, "evil.example", "/sandbox/traces/" + id, http.StatusMisdirectedRequest, "DNS rebinding"},
		{http.MethodGet, "localhost", "/sandbox/traces/gone", http.StatusNotFound, ""},
		{http.MethodGet, "localhost", "/sandbox/traces/", http.StatusBadGateway, `{"error":{"message":"no connection"}}`},
		{http.MethodPost, "localhost", "/sandbox/traces/" + id, http.StatusOK, "jaeger"},
		{http.MethodGet, "localhost", "/api/v3/traces/" + id, http.StatusOK, "jaeger"},
		{http.MethodGet, "localhost", "/sandbox/traces", http.StatusOK, "jaeger"},
	} {
		answer := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), test.method, test.path, http.NoBody)
		request.Host = test.host
		handler.ServeHTTP(answer, request)
		if body := answer.Body.String(); answer.Code != test.code || !strings.Contains(body, test.want) {
			t.Errorf("%s %s of %s = %d %s, want %d %s", test.method, test.path, test.host, answer.Code, body, test.code, test.want)
		}
	}
}
