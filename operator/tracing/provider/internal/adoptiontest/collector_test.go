package adoptiontest

import (
	"context"
	"encoding/hex"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// otlpCollector stores the spans that it receives over gRPC.
type otlpCollector struct {
	collector.UnimplementedTraceServiceServer

	address string

	mu    sync.Mutex
	spans []spantree.Span
}

// startCollector listens on the loopback interface until the test ends.
func startCollector(t *testing.T) *otlpCollector {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &otlpCollector{address: listener.Addr().String()}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, c)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			t.Errorf("serving OTLP: %v", err)
		}
	})
	return c
}

// Export implements the collector's service.
func (c *otlpCollector) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		service, _ := attributes(resource.GetResource().GetAttributes())["service.name"].(string)
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.spans = append(c.spans, convert(service, span))
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func (c *otlpCollector) received() []spantree.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]spantree.Span(nil), c.spans...)
}

// convert returns the parts of a span that the expected tree can contain.
func convert(service string, s *trace.Span) spantree.Span {
	status := map[trace.Status_StatusCode]string{trace.Status_STATUS_CODE_ERROR: spantree.StatusError, trace.Status_STATUS_CODE_OK: spantree.StatusOK}
	out := spantree.Span{
		TraceID:      hex.EncodeToString(s.GetTraceId()),
		SpanID:       hex.EncodeToString(s.GetSpanId()),
		ParentSpanID: hex.EncodeToString(s.GetParentSpanId()),
		Name:         s.GetName(),
		Kind:         strings.TrimPrefix(s.GetKind().String(), "SPAN_KIND_"),
		Service:      service,
		Start:        time.Unix(0, int64(s.GetStartTimeUnixNano())),
		End:          time.Unix(0, int64(s.GetEndTimeUnixNano())),
		Status:       spantree.Status{Code: status[s.GetStatus().GetCode()], Message: s.GetStatus().GetMessage()},
		Attributes:   attributes(s.GetAttributes()),
	}
	for _, l := range s.GetLinks() {
		out.Links = append(out.Links, spantree.Link{TraceID: hex.EncodeToString(l.GetTraceId()), SpanID: hex.EncodeToString(l.GetSpanId())})
	}
	return out
}

// attributes returns the attributes of the types that the library uses.
func attributes(list []*common.KeyValue) map[string]any {
	out := map[string]any{}
	for _, kv := range list {
		switch v := kv.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[kv.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			out[kv.GetKey()] = v.IntValue
		case *common.AnyValue_DoubleValue:
			out[kv.GetKey()] = v.DoubleValue
		case *common.AnyValue_BoolValue:
			out[kv.GetKey()] = v.BoolValue
		default:
			out[kv.GetKey()] = kv.GetValue().String()
		}
	}
	return out
}
