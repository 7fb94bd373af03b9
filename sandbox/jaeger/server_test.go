package jaeger

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/apiv2"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a query service with spans in memory. It splits responses into chunks as Jaeger does.
type server struct {
	api_v2.UnimplementedQueryServiceServer
	mu       sync.Mutex
	spans    []model.Span
	services []string
	// fail, if not nil, ends a stream after its first chunk, or immediately if there is none.
	fail error
	// hang keeps calls open until the client leaves.
	hang bool
	// lastFind is the last request to search.
	lastFind *api_v2.TraceQueryParameters
	lastGet  *api_v2.GetTraceRequest
	// operations are the operations of every service.
	operations []*api_v2.Operation
	// headers are the headers of the last call.
	headers metadata.MD
}

func (s *server) set(spans ...model.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans = spans
}

func (s *server) GetTrace(r *api_v2.GetTraceRequest, stream api_v2.QueryService_GetTraceServer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastGet = r
	if s.hang {
		<-stream.Context().Done()
		return stream.Context().Err()
	}
	var found []model.Span
	for _, span := range s.spans {
		if span.TraceID == r.TraceID {
			found = append(found, span)
		}
	}
	if len(found) == 0 && s.fail == nil {
		return status.Error(codes.NotFound, "trace not found")
	}
	return s.send(found, stream.Send)
}

func (s *server) FindTraces(r *api_v2.FindTracesRequest, stream api_v2.QueryService_FindTracesServer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastFind = r.Query
	var found []model.Span
	traces := map[model.TraceID]bool{}
	for _, span := range s.spans {
		if span.Process.ServiceName != r.Query.ServiceName {
			continue
		}
		if !traces[span.TraceID] && len(traces) == int(r.Query.SearchDepth) {
			break
		}
		traces[span.TraceID] = true
		found = append(found, span)
	}
	return s.send(found, stream.Send)
}

func (s *server) send(spans []model.Span, send func(*api_v2.SpansResponseChunk) error) error {
	for len(spans) > 0 {
		n := min(2, len(spans))
		if err := send(&api_v2.SpansResponseChunk{Spans: spans[:n]}); err != nil {
			return err
		}
		spans = spans[n:]
		if s.fail != nil {
			return s.fail
		}
	}
	return s.fail
}

func (s *server) GetServices(context.Context, *api_v2.GetServicesRequest) (*api_v2.GetServicesResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &api_v2.GetServicesResponse{Services: s.services}, nil
}

func (s *server) GetOperations(ctx context.Context, _ *api_v2.GetOperationsRequest) (*api_v2.GetOperationsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headers, _ = metadata.FromIncomingContext(ctx)
	return &api_v2.GetOperationsResponse{Operations: s.operations}, s.fail
}

// start serves on loopback until the test ends, and returns a client.
func start(t *testing.T, s *server, options ...Option) *Client {
	t.Helper()
	listener := listen(t)
	serve(t, s, listener)
	return dial(t, listener.Addr().String(), options...)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // Again, mostly.
	return listener
}

func serve(t *testing.T, s *server, listener net.Listener, options ...grpc.ServerOption) (stop func()) {
	t.Helper()
	g := grpc.NewServer(append(options, grpc.ForceServerCodec(gogoCodec{}))...)
	api_v2.RegisterQueryServiceServer(g, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := g.Serve(listener); err != nil {
			t.Errorf("serving: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() { g.Stop(); <-done })
	t.Cleanup(stop)
	return stop
}

// dial returns a client with a short timeout, for tests of broken servers.
func dial(t *testing.T, address string, options ...Option) *Client {
	t.Helper()
	client, err := Dial(address, append([]Option{WithTimeout(5 * time.Second)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("closing the client: %v", err)
		}
	})
	return client
}

// traceOf returns spans of the test's trace as a client returns them.
func traceOf(spans ...model.Span) tracetree.Trace {
	for _, trace := range tracetree.FromOTLP(apiv2.Traces(spans)) {
		return trace
	}
	return tracetree.Trace{}
}
