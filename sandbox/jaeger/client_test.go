package jaeger

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

func TestGetTrace(t *testing.T) {
	other := jaegertest.Span(9, 0, "other")
	other.TraceID = model.NewTraceID(0, 7)
	s := &server{}
	s.set(jaegertest.Span(1, 0, "a"), jaegertest.Span(2, 1, "b"), jaegertest.Span(3, 1, "c"), other, jaegertest.Span(2, 1, "b"))
	client := start(t, s)
	trace, err := client.GetTrace(t.Context(), jaegertest.TraceID)
	if err != nil {
		t.Fatal(err)
	}
	if trace.ID != jaegertest.TraceID || trace.Len() != 3 {
		t.Errorf("trace %s of %d spans, want %s of 3: a span sent again counts once", trace.ID, trace.Len(), jaegertest.TraceID)
	}
	if diff := cmp.Diff("a [INTERNAL service=demo]\n  b [INTERNAL]\n  c [INTERNAL]\n", trace.Forest().String()); diff != "" {
		t.Errorf("forest (-want +got):\n%s", diff)
	}
	if !s.lastGet.RawTraces {
		t.Error("asked for corrected spans, want them as they were stored")
	}
}

// Without the codec, the client panics in gRPC. If the second half of this test fails, the codec is
// no longer needed.
func TestCodec(t *testing.T) {
	s := &server{}
	s.set(jaegertest.Span(1, 0, "a"))
	client := start(t, s)
	if _, err := client.GetTrace(t.Context(), jaegertest.TraceID); err != nil {
		t.Errorf("with the codec: %v", err)
	}

	conn, err := grpc.NewClient(client.settings.endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Errorf("closing the connection: %v", err)
		}
	})
	defer func() {
		if panicked := fmt.Sprint(recover()); !strings.Contains(panicked, "TraceID") {
			t.Errorf("a client without the codec ends with %q, want a panic about TraceID", panicked)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	stream, err := api_v2.NewQueryServiceClient(conn).GetTrace(ctx, &api_v2.GetTraceRequest{TraceID: jaegertest.Trace})
	t.Logf("no panic: stream %v, error %v", stream, err)
}

func TestCodecRefusesOthers(t *testing.T) {
	if _, err := (gogoCodec{}).Marshal("text"); err == nil {
		t.Error("Marshal(string) = nil, want an error")
	}
	if err := (gogoCodec{}).Unmarshal(nil, "text"); err == nil {
		t.Error("Unmarshal into a string = nil, want an error")
	}
}

func TestErrors(t *testing.T) {
	span := jaegertest.Span(1, 0, "a")
	tests := map[string]struct {
		server  *server
		id      string
		want    error
		message string
	}{
		"unknown trace":      {&server{}, jaegertest.TraceID, tracetree.ErrNotFound, "reading trace " + jaegertest.TraceID},
		"breaks midway":      {&server{spans: []model.Span{span}, fail: status.Error(codes.Unavailable, "gone")}, jaegertest.TraceID, tracetree.ErrTruncated, "gone"},
		"fails midway":       {&server{spans: []model.Span{span}, fail: status.Error(codes.Internal, "bug")}, jaegertest.TraceID, tracetree.ErrTruncated, "bug"},
		"chunk is too large": {&server{fail: status.Error(codes.ResourceExhausted, "larger than max")}, jaegertest.TraceID, tracetree.ErrTruncated, "larger"},
		"unavailable":        {&server{fail: status.Error(codes.Unavailable, "starting")}, jaegertest.TraceID, tracetree.ErrUnreachable, "starting"},
		"storage fails":      {&server{fail: status.Error(codes.Internal, "disk")}, jaegertest.TraceID, nil, "disk"},
		"no id":              {&server{}, "xyz", nil, `reading trace "xyz": invalid id`},
		"zero id":            {&server{}, "00", nil, "not all zero"},
		"empty id":           {&server{}, "", nil, "invalid id"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			trace, err := start(t, test.server).GetTrace(t.Context(), test.id)
			if err == nil || !strings.Contains(err.Error(), test.message) {
				t.Fatalf("error is %v, want one with %q", err, test.message)
			}
			if trace.Len() != 0 {
				t.Errorf("%d spans beside the error", trace.Len())
			}
			var got []error
			for _, sentinel := range []error{tracetree.ErrNotFound, tracetree.ErrTruncated, tracetree.ErrUnreachable} {
				if errors.Is(err, sentinel) {
					got = append(got, sentinel)
				}
			}
			if want := []error{test.want}; (test.want == nil && got != nil) || (test.want != nil && !slices.Equal(got, want)) {
				t.Errorf("error %v is %v, want %v", err, got, test.want)
			}
		})
	}
}

func TestDeadlines(t *testing.T) {
	s := &server{hang: true}
	address := start(t, s).settings.endpoint
	client := dial(t, address, WithTimeout(50*time.Millisecond))
	if _, err := client.GetTrace(t.Context(), jaegertest.TraceID); !errors.Is(err, tracetree.ErrUnreachable) {
		t.Errorf("call to a server without a response = %v, want ErrUnreachable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := dial(t, address, WithTimeout(time.Minute)).GetTrace(ctx, jaegertest.TraceID)
	if !errors.Is(err, context.Canceled) || errors.Is(err, tracetree.ErrUnreachable) {
		t.Errorf("cancelled call = %v, want only the error of the context", err)
	}
}

// Calls fail immediately if Jaeger is down, and succeed soon after its restart. gRPC's default
// backoff grows to two minutes.
func TestReconnect(t *testing.T) {
	listener := listen(t)
	address := listener.Addr().String()
	s := &server{services: []string{"b", "a"}}
	stop := serve(t, s, listener)
	client := dial(t, address)
	if got, err := client.Services(t.Context()); err != nil || cmp.Diff([]string{"a", "b"}, got) != "" {
		t.Fatalf("services are %v, %v; want a and b", got, err)
	}
	stop()
	for range 5 {
		if _, err := client.Services(t.Context()); !errors.Is(err, tracetree.ErrUnreachable) {
			t.Fatalf("error is %v, want ErrUnreachable", err)
		}
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, s, listener)
	err = wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 5*time.Second, true, func(ctx context.Context) (bool, error) {
		_, err := client.Services(ctx)
		return err == nil, nil
	})
	if err != nil {
		t.Errorf("no answer within 5 seconds of Jaeger's return: %v", err)
	}
}

func TestFindTraces(t *testing.T) {
	s := &server{}
	var spans []model.Span
	for i := range uint64(4) {
		span := jaegertest.Span(1, 0, "a")
		span.TraceID = model.NewTraceID(1, i+1)
		spans = append(spans, span, span)
	}
	foreign := jaegertest.Span(5, 0, "x")
	foreign.Process = &model.Process{ServiceName: "other"}
	s.set(append(spans, foreign)...)
	client := start(t, s)

	from := time.Unix(900, 0).UTC()
	q := tracetree.Query{Service: "demo", Operation: "a", Tags: map[string]string{"k": "v"}, From: from, To: from.Add(time.Hour), Limit: 4}
	traces, err := client.FindTraces(t.Context(), q)
	if err != nil || len(traces) != 4 {
		t.Fatalf("%d traces, %v; want 4", len(traces), err)
	}
	if traces[0].ID != "00000000000000010000000000000001" || traces[0].Len() != 1 {
		t.Errorf("the first trace is %s of %d spans", traces[0].ID, traces[0].Len())
	}
	want := &api_v2.TraceQueryParameters{
		ServiceName: "demo", OperationName: "a", Tags: q.Tags, StartTimeMin: q.From, StartTimeMax: q.To, SearchDepth: 5, RawTraces: true,
	}
	if diff := cmp.Diff(want, s.lastFind); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}

	q.Limit = 3
	if traces, err = client.FindTraces(t.Context(), q); !errors.Is(err, tracetree.ErrTruncated) || len(traces) != 3 {
		t.Errorf("%d traces, %v; want 3 and ErrTruncated", len(traces), err)
	}
	if traces, err = client.FindTraces(t.Context(), tracetree.Query{Service: "unknown"}); err != nil || len(traces) != 0 {
		t.Errorf("%d traces, %v; want none and no error", len(traces), err)
	}
	if s.lastFind.SearchDepth != defaultLimit+1 || time.Since(s.lastFind.StartTimeMin) < 59*time.Minute || time.Until(s.lastFind.StartTimeMax) <= 0 {
		t.Errorf("defaults of the search are %v", s.lastFind)
	}
}
