package jaeger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gogo/protobuf/proto"
	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/apiv2"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// grpcTransport is api_v2.
type grpcTransport struct {
	settings settings
	conn     *grpc.ClientConn
	query    api_v2.QueryServiceClient
}

func newGRPCTransport(s settings) (*grpcTransport, error) {
	conn, err := s.connection(grpc.WithDefaultCallOptions(grpc.ForceCodec(gogoCodec{}), grpc.MaxCallRecvMsgSize(s.maxSize)))
	if err != nil {
		return nil, err
	}
	return &grpcTransport{settings: s, conn: conn, query: api_v2.NewQueryServiceClient(conn)}, nil
}

func (t *grpcTransport) close() error { return t.conn.Close() }

func (t *grpcTransport) trace(ctx context.Context, id model.TraceID) (ptrace.Traces, error) {
	request := &api_v2.GetTraceRequest{RawTraces: true, TraceID: id}
	return t.stream(ctx, func(ctx context.Context) (chunks, error) { return t.query.GetTrace(ctx, request) })
}

func (t *grpcTransport) search(ctx context.Context, q tracetree.Query, depth int) (ptrace.Traces, error) {
	request := &api_v2.FindTracesRequest{Query: &api_v2.TraceQueryParameters{
		ServiceName: q.Service, OperationName: q.Operation, Tags: q.Tags,
		StartTimeMin: q.From, StartTimeMax: q.To, DurationMin: q.MinDuration, DurationMax: q.MaxDuration,
		SearchDepth: int32(min(depth, maxLimit+1)), RawTraces: true,
	}}
	return t.stream(ctx, func(ctx context.Context) (chunks, error) { return t.query.FindTraces(ctx, request) })
}

func (t *grpcTransport) services(ctx context.Context) ([]string, error) {
	response, err := t.query.GetServices(t.settings.withHeaders(ctx), &api_v2.GetServicesRequest{})
	if err != nil {
		return nil, classify(err, false, remedyGRPC)
	}
	return response.Services, nil
}

func (t *grpcTransport) operations(ctx context.Context, service string) ([]Operation, error) {
	response, err := t.query.GetOperations(t.settings.withHeaders(ctx), &api_v2.GetOperationsRequest{Service: service})
	if err != nil {
		return nil, classify(err, false, remedyGRPC)
	}
	operations := make([]Operation, 0, len(response.Operations))
	for _, o := range response.Operations {
		operations = append(operations, Operation{Name: o.Name, Kind: o.SpanKind})
	}
	return operations, nil
}

// chunks is the common interface of the streams of both calls.
type chunks interface {
	Recv() (*api_v2.SpansResponseChunk, error)
}

// stream calls Jaeger and collects the spans. It returns either all spans or an error.
func (t *grpcTransport) stream(ctx context.Context, open func(context.Context) (chunks, error)) (ptrace.Traces, error) {
	// Cancelling this context also releases the stream after an early return.
	ctx, cancel := context.WithCancel(t.settings.withHeaders(ctx))
	defer cancel()
	stream, err := open(ctx)
	if err != nil {
		return ptrace.Traces{}, classify(err, false, remedyGRPC)
	}
	var spans []model.Span
	for size := 0; ; {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return apiv2.Traces(spans), nil
		}
		if err != nil {
			return ptrace.Traces{}, classify(err, len(spans) > 0, remedyGRPC)
		}
		if size += chunk.Size(); size > t.settings.maxSize {
			return ptrace.Traces{}, &Error{Kind: tracetree.ErrTruncated, Err: tooLarge(t.settings.maxSize), Remedy: remedySize}
		}
		spans = append(spans, chunk.Spans...)
	}
}

func tooLarge(limit int) error { return fmt.Errorf("response has more than %d bytes", limit) }

// classify converts an error of gRPC. partial is true if a part of the response has arrived.
// unreachable is the remedy if the server is not reachable.
func classify(err error, partial bool, unreachable string) error {
	text := err.Error()
	failure := &Error{Err: err}
	switch code := status.Code(err); {
	case code == codes.NotFound:
		failure.Kind, failure.Remedy = tracetree.ErrNotFound, remedyNotFound
	case code == codes.Unauthenticated, code == codes.PermissionDenied:
		failure.Kind, failure.Remedy = tracetree.ErrUnauthorized, remedyUnauthorized
	case code == codes.ResourceExhausted && strings.Contains(text, "larger than max"):
		failure.Kind, failure.Remedy = tracetree.ErrTruncated, remedySize
	case partial:
		failure.Kind = tracetree.ErrTruncated
	case code == codes.Unavailable, code == codes.DeadlineExceeded, code == codes.Unimplemented,
		// A server that speaks HTTP/2, but not gRPC.
		code == codes.Unknown && strings.Contains(text, "unexpected HTTP status code"),
		strings.Contains(text, "received unexpected content-type"):
		failure.Kind, failure.Remedy = tracetree.ErrUnreachable, tlsRemedy(err, unreachable)
	case searchDepthRefused(text):
		failure.Remedy = remedyDepth
	}
	return failure
}

// gogoCodec encodes messages with gogo's runtime. Jaeger's messages use gogo's custom types, on
// which gRPC's own codec panics ("invalid Go type model.TraceID"). Only the calls of this client
// use it, because a registration would affect all gRPC clients in the process.
type gogoCodec struct{}

// Marshal encodes a message of the protobuf API that gogo supports. It returns an error for other
// values.
func (gogoCodec) Marshal(message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("encoding a %T: not a protobuf message", message)
	}
	return proto.Marshal(m)
}

// Unmarshal decodes such a message.
func (gogoCodec) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("decoding a %T: not a protobuf message", message)
	}
	return proto.Unmarshal(data, m)
}

// Name returns the name of gRPC's own codec, because the wire format is the same.
func (gogoCodec) Name() string { return "proto" }
