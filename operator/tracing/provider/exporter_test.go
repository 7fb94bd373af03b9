package provider

import (
	"context"
	"net"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
)

// lateCollector is an OTLP collector that hands on the names of spans.
type lateCollector struct {
	collector.UnimplementedTraceServiceServer
	names chan string
}

func (c *lateCollector) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				c.names <- span.GetName()
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// TestFirstSpansWaitForTheCollector: a root that ended while nothing listened yet arrives, and soon, once something does.
func TestFirstSpansWaitForTheCollector(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+address)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	// Less than the exporter's own pause before a second try, which is at least 2.5 s: only waiting helps.
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2400")
	provider, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, root := provider.TracerProvider().Tracer("test").Start(t.Context(), "root")
	root.End()

	// The batch is under way, and refused, well before this half second ends.
	timer := time.NewTimer(500 * time.Millisecond)
	defer timer.Stop()
	<-timer.C
	if listener, err = net.Listen("tcp4", address); err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	late := &lateCollector{names: make(chan string, 1)}
	collector.RegisterTraceServiceServer(server, late)
	go func() { _ = server.Serve(listener) }() // It ends with Stop.
	t.Cleanup(server.Stop)
	select {
	case name := <-late.names:
		if name != "root" {
			t.Errorf("span %q arrived", name)
		}
	case <-time.After(5 * time.Second):
		t.Error("the span that ended before the collector was there did not arrive")
	}
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
