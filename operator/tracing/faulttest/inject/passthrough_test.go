package inject

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/internal/wire/wiretest"
)

// exchange is a request and its response.
type exchange struct {
	method, path string
	body         []byte
	header       http.Header

	code       int
	answer     []byte
	answerHead http.Header
	chunked    bool
}

// randomExchange returns an exchange of an API server, or of anything else.
func randomExchange(r *rand.Rand) exchange {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	blob := func() []byte {
		switch r.IntN(5) {
		case 0:
			return nil
		case 1:
			return []byte(`{"kind":"ConfigMap","metadata":{"name":"a","generateName":"a","uid":"u","resourceVersion":"7"}}` + "\n")
		case 2:
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = w.Write([]byte(`{"kind":"Status","code":409}`))
			_ = w.Close()
			return b.Bytes()
		case 3:
			return wiretest.ConfigMap("a")
		}
		b := make([]byte, r.IntN(3000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	e := exchange{
		method: pick("GET", "POST", "PUT", "PATCH", "DELETE"),
		path: pick("/api/v1/namespaces/ns-1/configmaps", "/api/v1/namespaces/ns-1/configmaps/a", "/apis/apps/v1/deployments",
			"/api/v1/configmaps?watch=true", "/api/v1/configmaps?watch=true&resourceVersion=1", "/version", "/api/v1/namespaces/ns-1/events"),
		header:     http.Header{"Accept": {pick("application/json", "*/*")}, "X-One": {"1", "2"}, "Accept-Encoding": {pick("gzip", "identity")}},
		code:       []int{200, 201, 404, 409, 410, 429, 500}[r.IntN(7)],
		answer:     blob(),
		answerHead: http.Header{"Content-Type": {pick("application/json", "application/vnd.kubernetes.protobuf", "text/plain")}, "Audit-Id": {"x"}, "Warning": {"a", "b"}},
		chunked:    r.IntN(2) == 0,
	}
	if e.method != http.MethodGet {
		e.body = blob()
	}
	if len(e.answer) > 2 && e.answer[0] == 0x1f {
		e.answerHead.Set("Content-Encoding", "gzip")
	}
	return e
}

// observed is everything that one side of an exchange sees.
type observed struct {
	Path   string
	Length int64
	Header http.Header
	Body   string
	Code   int
}

// TestPassThrough: without a plan, requests and responses are the same with and without an
// injector, byte for byte.
func TestPassThrough(t *testing.T) {
	t.Parallel()
	const runs = 400
	r := rand.New(rand.NewPCG(1, 2)) // the same exchanges in each run
	for n := range runs {
		e := randomExchange(r)
		var atServer []observed
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			atServer = append(atServer, observed{r.Method + r.URL.RequestURI(), r.ContentLength, r.Header, string(body), 0})
			for key, values := range e.answerHead {
				w.Header()[key] = values
			}
			w.Header().Set("Date", "none")
			if !e.chunked {
				w.Header().Set("Content-Length", strconv.Itoa(len(e.answer)))
			}
			w.WriteHeader(e.code)
			_, _ = w.Write(e.answer)
		}))
		var atClient []observed
		for _, transport := range []http.RoundTripper{http.DefaultTransport, newInjector(t, Options{})} {
			atClient = append(atClient, send(t, transport, server.URL, e))
		}
		server.Close()
		if len(atServer) != 2 || !reflect.DeepEqual(atServer[0], atServer[1]) {
			t.Fatalf("exchange %d %+v: the server got %+v", n, e, atServer)
		}
		if !reflect.DeepEqual(atClient[0], atClient[1]) {
			t.Fatalf("exchange %d %+v: the client got %+v", n, e, atClient)
		}
	}
}

func send(t *testing.T, transport http.RoundTripper, base string, e exchange) observed {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), e.method, base+e.path, bytes.NewReader(e.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = e.header.Clone()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	return observed{resp.Proto, resp.ContentLength, resp.Header, string(body), resp.StatusCode}
}
