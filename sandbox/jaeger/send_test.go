package jaeger

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jaegertracing/jaeger-idl/model/v1"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// receiver receives OTLP over gRPC and HTTP.
type receiver struct {
	ptraceotlp.UnimplementedGRPCServer
	mu       sync.Mutex
	taken    ptrace.Traces
	requests int
	// failAt is the number of the failing request, starting at 1; 0 means none. With reject, that
	// request accepts all spans except one.
	failAt int
	reject bool
	// rejects is the name of a span with which a request fails; empty means none.
	rejects string
}

func (r *receiver) Export(_ context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	response := ptraceotlp.NewExportResponse()
	switch r.requests++; {
	case r.requests == r.failAt && r.reject:
		response.PartialSuccess().SetRejectedSpans(1)
		response.PartialSuccess().SetErrorMessage("too old")
	case r.requests == r.failAt:
		return response, status.Error(codes.Unauthenticated, "no token")
	}
	for _, trace := range tracetree.FromOTLP(request.Traces()) {
		for _, span := range trace.Spans() {
			if r.rejects != "" && span.Name == r.rejects {
				return response, status.Error(codes.InvalidArgument, "a bad span")
			}
		}
	}
	request.Traces().ResourceSpans().MoveAndAppendTo(r.taken.ResourceSpans())
	return response, nil
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	export := ptraceotlp.NewExportRequest()
	if err := export.UnmarshalProto(body); err != nil || request.URL.Path != "/v1/traces" {
		http.Error(w, fmt.Sprint(err), http.StatusBadRequest)
		return
	}
	response, err := r.Export(request.Context(), export)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	data, _ := response.MarshalProto()
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(data)
}

// startReceiver returns the addresses of the receiver by protocol.
func startReceiver(t *testing.T, r *receiver) map[string]string {
	t.Helper()
	r.taken = ptrace.NewTraces()
	listener := listen(t)
	g := grpc.NewServer() // Accepts 4 MiB, as Jaeger and collectors do.
	ptraceotlp.RegisterGRPCServer(g, r)
	done := make(chan struct{})
	go func() { defer close(done); _ = g.Serve(listener) }()
	t.Cleanup(func() { g.Stop(); <-done })
	overHTTP := httptest.NewServer(r)
	t.Cleanup(overHTTP.Close)
	return map[string]string{"gRPC": listener.Addr().String(), "HTTP": overHTTP.URL}
}

func newSender(t *testing.T, address string, options ...Option) *Sender {
	t.Helper()
	sender, err := DialOTLP(address, append([]Option{WithTimeout(5 * time.Second)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sender.Close(); err != nil {
			t.Errorf("closing the sender: %v", err)
		}
	})
	return sender
}

// large returns a trace that requires several requests.
func large() tracetree.Trace {
	var spans []model.Span
	for i := range uint64(50) {
		spans = append(spans, jaegertest.Span(i+1, 0, "a", model.String("big", strings.Repeat("x", 200<<10))))
	}
	return traceOf(spans...)
}

// The receiver gets all spans, regardless of the size of the trace.
func TestSend(t *testing.T) {
	for _, sent := range []tracetree.Trace{shop(t), large()} {
		r := &receiver{}
		for name, address := range startReceiver(t, r) {
			r.taken, r.requests = ptrace.NewTraces(), 0
			if err := newSender(t, address).Send(t.Context(), sent); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(sent.Spans(), tracetree.FromOTLP(r.taken)[0].Spans()); diff != "" {
				t.Errorf("%s (-sent +taken):\n%s", name, diff)
			}
			if sent.Len() == 50 && r.requests != 5 {
				t.Errorf("%s: %d requests for 10 MB, want 5", name, r.requests)
			}
		}
	}
}

// If the receiver accepts only a part of the trace, the error contains the number of spans.
func TestSendFails(t *testing.T) {
	for _, reject := range []bool{false, true} {
		for _, protocol := range []string{"gRPC", "HTTP"} {
			start := time.Now()
			address := startReceiver(t, &receiver{failAt: 2, reject: reject})[protocol]
			err := newSender(t, address).Send(t.Context(), large())
			if reject {
				wantFailure(t, start, err, nil, "rejected 1 of 10 spans: too old")
			} else {
				wantFailure(t, start, err, tracetree.ErrUnauthorized, "(10 of 50 spans accepted)")
			}
		}
	}
	huge := traceOf(jaegertest.Span(1, 0, "a", model.String("big", strings.Repeat("x", 5<<20))))
	err := newSender(t, startReceiver(t, &receiver{})["gRPC"]).Send(t.Context(), huge)
	wantFailure(t, time.Now(), err, tracetree.ErrTruncated, "larger than max")
	if err := newSender(t, closed(t)).Send(t.Context(), tracetree.Trace{ID: jaegertest.TraceID}); err == nil || !strings.Contains(err.Error(), "no spans") {
		t.Errorf("Send of a trace without spans = %v, want ErrNoTraces", err)
	}
	for address, want := range map[string]string{
		closed(t):             "4317",
		"http://" + closed(t): "4318",
		"http://" + talk(t, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", false): "not an OTLP receiver",
		"http://" + talk(t, "HTTP/1.1 404 Not Found\r\n\r\nnothing here", false):               "nothing here",
		start(t, &server{}).settings.endpoint:                                                  "unknown service",
	} {
		start := time.Now()
		err := newSender(t, address).Send(t.Context(), shop(t))
		wantFailure(t, start, err, tracetree.ErrUnreachable, want)
	}
	for _, address := range []string{talk(t, "", true), "http://" + talk(t, "", true)} {
		start := time.Now()
		err := newSender(t, address, WithTimeout(50*time.Millisecond)).Send(t.Context(), shop(t))
		wantFailure(t, start, err, tracetree.ErrUnreachable, "within 50ms")
	}
}

// A trace that the receiver rejects keeps no other trace back.
func TestSendSpans(t *testing.T) {
	one, bad := shop(t).OTLP(), traceOf(jaegertest.Span(1, 0, "bad")).OTLP()
	bad.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetTraceID([16]byte{1})
	all := ptrace.NewTraces()
	for _, part := range []ptrace.Traces{bad, one} {
		part.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
	}
	for _, rejects := range []string{"", "bad"} {
		r := &receiver{rejects: rejects}
		for name, address := range startReceiver(t, r) {
			r.taken, r.requests = ptrace.NewTraces(), 0
			rejected, err := newSender(t, address).SendSpans(t.Context(), all)
			if err != nil || (rejected != nil) != (rejects != "") {
				t.Errorf("%s: SendSpans() = %v, %v", name, rejected, err)
			}
			if taken := tracetree.FromOTLP(r.taken); rejects == "" && (r.requests != 1 || len(taken) != 2) || rejects != "" && (len(taken) != 1 || taken[0].Len() != shop(t).Len()) {
				t.Errorf("%s rejects %q: %d traces in %d requests", name, rejects, len(taken), r.requests)
			}
		}
	}
	rejected, err := newSender(t, closed(t)).SendSpans(t.Context(), all)
	if rejected != nil {
		t.Errorf("rejected by a receiver that is not reached: %v", rejected)
	}
	wantFailure(t, time.Now(), err, tracetree.ErrUnreachable, "sending")
}

func TestWaitStored(t *testing.T) {
	s := &server{}
	client := start(t, s)
	sent := traceOf(jaegertest.Span(1, 0, "a"), jaegertest.Span(2, 1, "b"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	s.set(jaegertest.Span(1, 0, "a"))
	err := WaitStored(ctx, client, sent, time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "1 of 2 spans are missing") {
		t.Errorf("error is %v", err)
	}
	done := make(chan error)
	s.set()
	go func() { done <- WaitStored(t.Context(), client, sent, time.Millisecond) }()
	s.set(jaegertest.Span(1, 0, "a"), jaegertest.Span(2, 1, "b"), jaegertest.Span(3, 1, "more"))
	if err := <-done; err != nil {
		t.Error(err)
	}
	refusing := start(t, &server{fail: status.Error(codes.PermissionDenied, "no")})
	start := time.Now()
	wantFailure(t, start, WaitStored(t.Context(), refusing, sent, 0), tracetree.ErrUnauthorized, "no")
}
