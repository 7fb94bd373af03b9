package jaeger

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// limit is the maximum duration of a failure. The clients' timeout is 5 seconds, and the timeout of
// a gRPC connection is one second.
const limit = 8 * time.Second

var kindsOfErrors = []error{tracetree.ErrUnreachable, tracetree.ErrUnauthorized, tracetree.ErrNotFound, tracetree.ErrTruncated}

// wantFailure fails unless err is one line with a text and has the given kind (nil for none).
func wantFailure(t *testing.T, begun time.Time, err, kind error, text string) {
	t.Helper()
	if took := time.Since(begun); took > limit {
		t.Errorf("the failure took %s, want at most %s", took, limit)
	}
	if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error = %v, want one line with %q", err, text)
	}
	var got []error
	for _, k := range kindsOfErrors {
		if errors.Is(err, k) {
			got = append(got, k)
		}
	}
	if want := slices.DeleteFunc([]error{kind}, func(e error) bool { return e == nil }); !slices.Equal(got, want) {
		t.Errorf("kinds of error %v = %v, want %v", err, got, want)
	}
}

// talk accepts connections and writes the same text to each.
func talk(t *testing.T, say string, hang bool) string {
	t.Helper()
	listener := listen(t)
	done, ends := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var open []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			// If a server closes a connection with unread data, the kernel drops the written data.
			buffer := make([]byte, 64<<10)
			_, _ = conn.Read(buffer)
			_, _ = io.WriteString(conn, say)
			if open = append(open, conn); !hang {
				_ = conn.Close()
			}
		}
		<-ends
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); close(ends); <-done })
	return listener.Addr().String()
}

// closed returns an address without a listener.
func closed(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// certificates returns the configurations of servers and clients for httptest's own certificate.
func certificates(t *testing.T) (server *tls.Config, trust *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates, NextProtos: []string{"h2"}}, &tls.Config{RootCAs: roots}
}

// Calls to a broken server return a specific error within a limited time.
func TestBrokenServers(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	serverTLS, trust := certificates(t)
	secure := listen(t)
	serve(t, &server{services: []string{"a"}}, secure, grpc.Creds(credentials.NewTLS(serverTLS)))
	secureHTTP := httptest.NewTLSServer(gateway{"services": `{"services":["a"]}`})
	t.Cleanup(secureHTTP.Close)
	plain := start(t, &server{services: []string{"a"}}).settings.endpoint
	plainHTTP := httptest.NewServer(gateway{"services": `{"services":["a"]}`})
	t.Cleanup(plainHTTP.Close)
	bare := listen(t)
	other := grpc.NewServer()
	go func() { _ = other.Serve(bare) }()
	t.Cleanup(other.Stop)

	tests := map[string]struct {
		address string
		options []Option
		want    error
		text    string
	}{
		"gRPC: nothing listens":             {closed(t), nil, tracetree.ErrUnreachable, "16685"},
		"HTTP: nothing listens":             {"http://" + closed(t), nil, tracetree.ErrUnreachable, "16686"},
		"gRPC: a web server":                {talk(t, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", false), nil, tracetree.ErrUnreachable, "http://"},
		"gRPC: another gRPC server":         {bare.Addr().String(), nil, tracetree.ErrUnreachable, "unknown service"},
		"gRPC: garbage":                     {talk(t, strings.Repeat("garbage\x00", 40), false), nil, tracetree.ErrUnreachable, "its query service"},
		"gRPC: accepts and closes":          {talk(t, "", false), nil, tracetree.ErrUnreachable, "its query service"},
		"gRPC: accepts and hangs":           {talk(t, "", true), nil, tracetree.ErrUnreachable, "its query service"},
		"gRPC: TLS against none":            {plain, []Option{WithTLS(trust)}, tracetree.ErrUnreachable, "does not use TLS"},
		"gRPC: none against TLS":            {secure.Addr().String(), nil, tracetree.ErrUnreachable, "requires TLS"},
		"gRPC: an unknown authority":        {"grpcs://" + secure.Addr().String(), nil, tracetree.ErrUnreachable, "is not trusted"},
		"HTTP: another web server":          {"http://" + talk(t, head+"\r\n<html>Welcome</html>", false), nil, tracetree.ErrUnreachable, `not a response of Jaeger's query API: "<html>Welcome</html>"`},
		"HTTP: a wrong base path":           {plainHTTP.URL + "/jaeger", nil, tracetree.ErrUnreachable, "base path"},
		"HTTP: garbage":                     {"http://" + talk(t, strings.Repeat("garbage\x00", 40), false), nil, tracetree.ErrUnreachable, "malformed"},
		"HTTP: accepts and closes":          {"http://" + talk(t, "", false), nil, tracetree.ErrUnreachable, "EOF"},
		"HTTP: a gRPC server":               {"http://" + plain, nil, tracetree.ErrUnreachable, "omit http://"},
		"HTTP: TLS against none":            {strings.Replace(plainHTTP.URL, "http:", "https:", 1), nil, tracetree.ErrUnreachable, "does not use TLS"},
		"HTTP: none against TLS":            {strings.Replace(secureHTTP.URL, "https:", "http:", 1), nil, tracetree.ErrUnreachable, "requires TLS"},
		"HTTP: an unknown authority":        {secureHTTP.URL, nil, tracetree.ErrUnreachable, "is not trusted"},
		"HTTP: stops in the body":           {"http://" + talk(t, head+"Content-Length: 1000\r\n\r\n{\"serv", false), nil, tracetree.ErrTruncated, "after 6 bytes"},
		"HTTP: stops in a chunk":            {"http://" + talk(t, head+"Transfer-Encoding: chunked\r\n\r\n6\r\n{\"serv\r\n", false), nil, tracetree.ErrTruncated, "after 6 bytes"},
		"HTTP: ends within the JSON":        {"http://" + talk(t, head+"Content-Length: 6\r\n\r\n{\"serv", false), nil, tracetree.ErrTruncated, "incomplete JSON"},
		"HTTP: an empty answer":             {"http://" + talk(t, head+"Content-Length: 0\r\n\r\n", false), nil, tracetree.ErrTruncated, "after 0 bytes"},
		"HTTP: JSON of another shape":       {"http://" + talk(t, head+"\r\n{\"services\":{}}", false), nil, nil, "decoding the response"},
		"HTTP: more than the limit":         {plainHTTP.URL, []Option{WithMaxSize(10)}, tracetree.ErrTruncated, "more than 10 bytes"},
		"gRPC: a message beyond the limit":  {plain, []Option{WithMaxSize(2)}, tracetree.ErrTruncated, "size limit"},
		"HTTP: sends to a page to log in":   {"http://" + talk(t, "HTTP/1.1 302 Found\r\nLocation: https://example.com/login\r\n\r\n", false), nil, tracetree.ErrUnreachable, "example.com/login"},
		"HTTP: a proxy without its Jaeger":  {"http://" + talk(t, "HTTP/1.1 502 Bad Gateway\r\n\r\nno upstream", false), nil, tracetree.ErrUnreachable, "502"},
		"HTTP: accepts and does not answer": {"http://" + talk(t, "", true), []Option{WithTimeout(50 * time.Millisecond)}, tracetree.ErrUnreachable, "within 50ms"},
		"HTTP: hangs in the body":           {"http://" + talk(t, head+"\r\n{\"serv", true), []Option{WithTimeout(50 * time.Millisecond)}, tracetree.ErrTruncated, "within 50ms"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			services, err := dial(t, test.address, test.options...).Services(t.Context())
			wantFailure(t, begun, err, test.want, test.text)
			if failure := (*Error)(nil); !errors.As(err, &failure) || failure.Endpoint != test.address || failure.Doing != "listing services" {
				t.Errorf("error = %#v", err)
			}
			if services != nil {
				t.Errorf("services = %v, want none with an error", services)
			}
		})
	}
	for name, client := range map[string]*Client{
		"gRPC": dial(t, secure.Addr().String(), WithTLS(trust)), "gRPC by its scheme": dial(t, "grpcs://"+secure.Addr().String(), WithTLS(trust)),
		"HTTP": dial(t, secureHTTP.URL, WithTLS(trust)),
	} {
		if services, err := client.Services(t.Context()); err != nil || len(services) != 1 {
			t.Errorf("Services with the right authority over %s = %v, %v", name, services, err)
		}
	}
}

// The kind of an error corresponds to the response of the server.
func TestRefusals(t *testing.T) {
	grpcCodes := map[codes.Code]error{
		codes.Unauthenticated: tracetree.ErrUnauthorized, codes.PermissionDenied: tracetree.ErrUnauthorized, codes.NotFound: tracetree.ErrNotFound,
		codes.Unavailable: tracetree.ErrUnreachable, codes.Internal: nil, codes.ResourceExhausted: nil, codes.InvalidArgument: nil,
	}
	for code, want := range grpcCodes {
		t.Run("gRPC "+code.String(), func(t *testing.T) {
			begun := time.Now()
			client := start(t, &server{fail: status.Error(code, "said the server")})
			_, err := client.GetTrace(t.Context(), jaegertest.TraceID)
			wantFailure(t, begun, err, want, "said the server")
			_, err = client.Operations(t.Context(), "a")
			wantFailure(t, begun, err, want, "said the server")
		})
	}
	const said = `{"error":{"httpCode":500,"message":"said the server"}}`
	for code, want := range map[int]error{
		401: tracetree.ErrUnauthorized, 403: tracetree.ErrUnauthorized, 404: tracetree.ErrNotFound, 400: nil, 429: nil, 500: nil, 503: tracetree.ErrUnreachable,
	} {
		t.Run("HTTP "+http.StatusText(code), func(t *testing.T) {
			begun := time.Now()
			client := startHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, said, code) }))
			_, err := client.GetTrace(t.Context(), jaegertest.TraceID)
			wantFailure(t, begun, err, want, "said the server")
			_, err = client.Operations(t.Context(), "a")
			wantFailure(t, begun, err, want, "said the server")
		})
	}
}

// Jaeger refuses searches with a limit above the capacity of its memory. The error has no kind.
func TestSearchDepth(t *testing.T) {
	const message = "search depth must be greater than 0 and less than max traces"
	overGRPC := start(t, &server{fail: status.Error(codes.Internal, message)})
	overHTTP := startHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":{"httpCode":500,"message":"`+message+`"}}`, http.StatusInternalServerError)
	}))
	for _, client := range []*Client{overGRPC, overHTTP} {
		_, err := client.FindTraces(t.Context(), tracetree.Query{Service: "demo", Limit: 1 << 30})
		wantFailure(t, time.Now(), err, nil, "request fewer")
	}
}

// A stream over HTTP can fail after its first results.
func TestStreamedAnswers(t *testing.T) {
	first, err := traceOf(jaegertest.Span(1, 0, "a"), jaegertest.Span(2, 1, "b")).JSON()
	if err != nil {
		t.Fatal(err)
	}
	second, err := traceOf(jaegertest.Span(3, 1, "c"), jaegertest.Span(2, 1, "b")).JSON()
	if err != nil {
		t.Fatal(err)
	}
	one, two := `{"result":`+string(first)+`}`, `{"result":`+string(second)+`}`
	read := func(body string) (tracetree.Trace, error) {
		return startHTTP(t, gateway{"traces/" + jaegertest.TraceID: body}).GetTrace(t.Context(), jaegertest.TraceID)
	}
	for _, body := range []string{one + "\n" + two + "\n", one + two} {
		if trace, err := read(body); err != nil || trace.Len() != 3 {
			t.Errorf("%d spans, %v; want 3", trace.Len(), err)
		}
	}
	for body, want := range map[string]struct {
		kind error
		text string
	}{
		one + "\n" + `{"error":{"httpCode":500,"message":"disk"}}`: {tracetree.ErrTruncated, "disk"},
		one + "\n" + two[:100]: {tracetree.ErrTruncated, "incomplete JSON"},
		one + "\n}":            {nil, "decoding the response"},
		`{"result":{}}`:        {tracetree.ErrNotFound, "no span of the trace"},
		`{}`:                   {nil, "neither a result nor an error"},
		`{"result":{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}}`: {nil, "decoding OTLP JSON"},
	} {
		_, err := read(body)
		wantFailure(t, time.Now(), err, want.kind, want.text)
	}
}

func TestAddresses(t *testing.T) {
	secure := WithTLS(&tls.Config{MinVersion: tls.VersionTLS13})
	for address, options := range map[string][]Option{
		"": nil, "localhost": nil, "localhost:": nil, "ftp://localhost:1": nil, "http://": nil, "http://user@host:1": nil, "http://host:1/?a=b": nil,
		"http://host:1": {secure}, "grpc://host:1": {secure}, "grpcs://host": nil, "http://a b": nil, "unix:///socket": nil,
	} {
		if _, err := Dial(address, options...); err == nil || !strings.Contains(err.Error(), "Jaeger at \""+address) {
			t.Errorf("Dial(%q) = %v, want an error with the address", address, err)
		}
		if _, err := DialOTLP(address, options...); err == nil {
			t.Errorf("DialOTLP(%q) = nil, want an error", address)
		}
	}
}

// A cancelled call over HTTP returns the error of the context.
func TestCancelledHTTP(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client := startHTTP(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }))
	begun := time.Now()
	_, err := client.GetTrace(ctx, jaegertest.TraceID)
	wantFailure(t, begun, err, nil, "context canceled")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled without a kind", err)
	}
}

func TestCredentialsAreSent(t *testing.T) {
	options := []Option{WithBearerToken("secret"), WithHeader("X-Tenant", "acme"), WithHeader("X-Tenant", "other")}
	s := &server{}
	client := dial(t, start(t, s).settings.endpoint, options...)
	if _, err := client.Operations(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got := s.headers.Get("authorization"); len(got) != 1 || got[0] != "Bearer secret" || len(s.headers.Get("x-tenant")) != 2 {
		t.Errorf("headers %v", s.headers)
	}
	var headers http.Header
	overHTTP := startHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers = r.Header
		_, _ = io.WriteString(w, "{}")
	}), options...)
	if services, err := overHTTP.Services(t.Context()); err != nil || len(services) != 0 {
		t.Fatalf("%v, %v", services, err)
	}
	if headers.Get("Authorization") != "Bearer secret" || len(headers.Values("X-Tenant")) != 2 {
		t.Errorf("headers %v", headers)
	}
}

// The limit applies to the whole response, not only to each message.
func TestWholeAnswerIsBounded(t *testing.T) {
	s := &server{}
	var spans []model.Span
	for i := range uint64(50) {
		spans = append(spans, jaegertest.Span(i+1, 0, strings.Repeat("x", 100)))
	}
	s.set(spans...)
	client := dial(t, start(t, s).settings.endpoint, WithMaxSize(2000))
	_, err := client.GetTrace(t.Context(), jaegertest.TraceID)
	wantFailure(t, time.Now(), err, tracetree.ErrTruncated, "more than 2000 bytes")
}
