package provider

import (
	"context"
	"net"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
)

// lateCollector is an OTLP collector that sends the names of spans to a channel.
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

// TestFirstSpansWaitForTheCollector: a root that ended before the collector started arrives soon
// after its start.
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
	// The exporter retries after at least 2.5 s. The timeout is shorter, so the export must wait
	// for the connection.
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2400")
	provider, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, root := provider.TracerProvider().Tracer("test").Start(t.Context(), "root")
	root.End()

	// The exporter tries to connect, and fails, well before this half second ends.
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
		t.Error("the span that ended before the collector started did not arrive")
	}
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
