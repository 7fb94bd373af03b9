package jaeger

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// grpcTransport is api_v2.
type grpcTransport struct {
	settings settings
	conn     *grpc.ClientConn
	query    api_v2.QueryServiceClient
}

func newGRPCTransport(a address, s settings) (*grpcTransport, error) {
	conn, err := s.connection(a, grpc.WithDefaultCallOptions(grpc.ForceCodec(gogoCodec{}), grpc.MaxCallRecvMsgSize(s.maxSize)))
	if err != nil {
		return nil, err
	}
	return &grpcTransport{settings: s, conn: conn, query: api_v2.NewQueryServiceClient(conn)}, nil
}

func (t *grpcTransport) close() error { return t.conn.Close() }

func (t *grpcTransport) authorized(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, t.settings.metadata()...)
}

func (t *grpcTransport) trace(ctx context.Context, id pcommon.TraceID) (ptrace.Traces, error) {
	request := &api_v2.GetTraceRequest{RawTraces: true,
		TraceID: model.NewTraceID(binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:]))}
	return t.stream(ctx, func(ctx context.Context) (chunks, error) { return t.query.GetTrace(ctx, request) })
}

func (t *grpcTransport) search(ctx context.Context, q Query, depth int) (ptrace.Traces, error) {
	request := &api_v2.FindTracesRequest{Query: &api_v2.TraceQueryParameters{
		ServiceName: q.Service, OperationName: q.Operation, Tags: q.Tags,
		StartTimeMin: q.From, StartTimeMax: q.To, DurationMin: q.MinDuration, DurationMax: q.MaxDuration,
		SearchDepth: int32(min(depth, maxDepth+1)), RawTraces: true,
	}}
	return t.stream(ctx, func(ctx context.Context) (chunks, error) { return t.query.FindTraces(ctx, request) })
}

func (t *grpcTransport) services(ctx context.Context) ([]string, error) {
	response, err := t.query.GetServices(t.authorized(ctx), &api_v2.GetServicesRequest{})
	if err != nil {
		return nil, classify(err, false, remedyGRPC)
	}
	return response.Services, nil
}

func (t *grpcTransport) operations(ctx context.Context, service string) ([]Operation, error) {
	response, err := t.query.GetOperations(t.authorized(ctx), &api_v2.GetOperationsRequest{Service: service})
	if err != nil {
		return nil, classify(err, false, remedyGRPC)
	}
	operations := make([]Operation, 0, len(response.Operations))
	for _, o := range response.Operations {
		operations = append(operations, Operation{Name: o.Name, Kind: kindName(o.SpanKind)})
	}
	return operations, nil
}

// kindName converts Jaeger's name of a span kind to spantree's.
func kindName(kind string) string { return cmp.Or(strings.ToUpper(kind), spantree.KindInternal) }

// chunks is the common interface of the streams of both calls.
type chunks interface {
	Recv() (*api_v2.SpansResponseChunk, error)
}

// stream calls Jaeger and collects the spans. It returns either all spans or an error.
func (t *grpcTransport) stream(ctx context.Context, open func(context.Context) (chunks, error)) (ptrace.Traces, error) {
	// Cancelling this context also releases the stream after an early return.
	ctx, cancel := context.WithCancel(t.authorized(ctx))
	defer cancel()
	stream, err := open(ctx)
	if err != nil {
		return ptrace.Traces{}, classify(err, false, remedyGRPC)
	}
	var spans []model.Span
	for size := 0; ; {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return fromModel(spans), nil
		}
		if err != nil {
			return ptrace.Traces{}, classify(err, len(spans) > 0, remedyGRPC)
		}
		if size += chunk.Size(); size > t.settings.maxSize {
			return ptrace.Traces{}, &Error{Kind: ErrTruncated, Err: tooLarge(t.settings.maxSize), Remedy: remedySize}
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
		failure.Kind, failure.Remedy = ErrNotFound, remedyNotFound
	case code == codes.Unauthenticated, code == codes.PermissionDenied:
		failure.Kind, failure.Remedy = ErrUnauthorized, remedyUnauthorized
	case code == codes.ResourceExhausted && strings.Contains(text, "larger than max"):
		failure.Kind, failure.Remedy = ErrTruncated, remedySize
	case partial:
		failure.Kind = ErrTruncated
	case code == codes.Unavailable, code == codes.DeadlineExceeded, code == codes.Unimplemented,
		// A server that speaks HTTP/2, but not gRPC.
		code == codes.Unknown && strings.Contains(text, "unexpected HTTP status code"),
		strings.Contains(text, "received unexpected content-type"):
		failure.Kind, failure.Remedy = ErrUnreachable, tlsRemedy(err, unreachable)
	case searchDepthRefused(text):
		failure.Remedy = remedyDepth
	}
	return failure
}
