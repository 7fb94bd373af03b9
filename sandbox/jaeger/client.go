package jaeger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// The ways in which reading fails that callers treat differently. Errors of a
// [Client] wrap one of them, or none.
var (
	// ErrUnreachable: nobody answered, or not within the timeout.
	ErrUnreachable = errors.New("jaeger is unreachable")
	// ErrNotFound: Jaeger has no span of the trace, or not yet.
	ErrNotFound = errors.New("trace not found")
	// ErrTruncated: only a part of the answer came.
	ErrTruncated = errors.New("answer is truncated")
)

// DefaultTimeout bounds every call of a client.
const DefaultTimeout = 10 * time.Second

// DefaultLimit is the number of traces that a search gives at most.
const DefaultLimit = 100

// maxMessage is the size of a chunk of spans that the client takes. Jaeger puts
// ten spans into one, but a span may hold large attributes.
const maxMessage = 64 << 20

// Client reads traces over gRPC. It may be used by several goroutines at a time.
type Client struct {
	endpoint string
	timeout  time.Duration
	conn     *grpc.ClientConn
	query    api_v2.QueryServiceClient
}

// Dial makes a client of the query service at an address, host:port, without
// TLS. It doesn't connect yet: calls do, again after a lost connection, and at
// most a second after Jaeger has come back. Timeout bounds each call, beside its
// context; 0 is DefaultTimeout. The caller closes the client.
func Dial(endpoint string, timeout time.Duration) (*Client, error) {
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	retry := backoff.DefaultConfig
	retry.BaseDelay, retry.MaxDelay = 100*time.Millisecond, time.Second
	conn, err := grpc.NewClient(endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: time.Second}),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(gogoCodec{}), grpc.MaxCallRecvMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, fmt.Errorf("making a client of Jaeger at %s: %w", endpoint, err)
	}
	return &Client{endpoint: endpoint, timeout: timeout, conn: conn, query: api_v2.NewQueryServiceClient(conn)}, nil
}

// Close ends the connection. Calls that are under way fail.
func (c *Client) Close() error { return c.conn.Close() }

// GetTrace reads a trace by its id in hexadecimal digits. The spans are as
// Jaeger stored them, without its corrections of clocks. Where Jaeger has none,
// the error is ErrNotFound.
func (c *Client) GetTrace(ctx context.Context, traceID string) (Trace, error) {
	id, err := model.TraceIDFromString(traceID)
	if err != nil {
		return Trace{}, fmt.Errorf("reading trace %q: parsing its id: %w", traceID, err)
	}
	if id == (model.TraceID{}) {
		return Trace{}, fmt.Errorf("reading trace %q: the id is zero", traceID)
	}
	spans, err := c.stream(ctx, func(ctx context.Context) (chunks, error) {
		return c.query.GetTrace(ctx, &api_v2.GetTraceRequest{TraceID: id, RawTraces: true})
	})
	if err == nil && len(spans) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Trace{}, fmt.Errorf("reading trace %s from %s: %w", traceID, c.endpoint, err)
	}
	return newTrace(id, spans), nil
}

// Query says which traces to search for.
type Query struct {
	// Service is required: Jaeger searches within one service.
	Service string
	// Operation is the name of a span of the trace; empty for any.
	Operation string
	// Tags are attributes that one span of the trace has; nil for any.
	Tags map[string]string
	// From and To bound the start of the trace. Zero values are an hour ago and
	// a minute ahead, which allows for skewed clocks.
	From, To time.Time
	// Limit is the number of traces at most; 0 is DefaultLimit.
	Limit int
}

// FindTraces searches for traces, the latest first. Where there are more than
// the limit the error is ErrTruncated, and the traces up to it are given too.
// No trace is no error.
func (c *Client) FindTraces(ctx context.Context, q Query) ([]Trace, error) {
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	if q.From.IsZero() {
		q.From = time.Now().Add(-time.Hour)
	}
	if q.To.IsZero() {
		q.To = time.Now().Add(time.Minute)
	}
	request := &api_v2.FindTracesRequest{Query: &api_v2.TraceQueryParameters{
		ServiceName: q.Service, OperationName: q.Operation, Tags: q.Tags,
		StartTimeMin: q.From, StartTimeMax: q.To,
		// One more than asked for tells whether there are more.
		SearchDepth: int32(min(q.Limit, 1<<20) + 1), RawTraces: true,
	}}
	spans, err := c.stream(ctx, func(ctx context.Context) (chunks, error) {
		return c.query.FindTraces(ctx, request)
	})
	if err != nil {
		return nil, fmt.Errorf("searching traces of %s at %s: %w", q.Service, c.endpoint, err)
	}
	traces := groupTraces(spans)
	if len(traces) > q.Limit {
		return traces[:q.Limit], fmt.Errorf("searching traces of %s at %s: more than %d: %w", q.Service, c.endpoint, q.Limit, ErrTruncated)
	}
	return traces, nil
}

// Services lists the services that Jaeger has spans of, sorted.
func (c *Client) Services(ctx context.Context) ([]string, error) {
	call, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	response, err := c.query.GetServices(call, &api_v2.GetServicesRequest{})
	if err != nil {
		return nil, fmt.Errorf("listing services at %s: %w", c.endpoint, classify(ctx, err, false))
	}
	slices.Sort(response.Services)
	return response.Services, nil
}

// chunks is what the streams of both calls have in common.
type chunks interface {
	Recv() (*api_v2.SpansResponseChunk, error)
}

// stream makes a call and collects its spans. It gives either all or an error.
func (c *Client) stream(ctx context.Context, open func(context.Context) (chunks, error)) ([]model.Span, error) {
	// The end of this context also frees the stream where it is left early.
	call, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	stream, err := open(call)
	if err != nil {
		return nil, classify(ctx, err, false)
	}
	var spans []model.Span
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return spans, nil
		}
		if err != nil {
			return nil, classify(ctx, err, len(spans) > 0)
		}
		spans = append(spans, chunk.Spans...)
	}
}

// classify adds the sentinel that an error of gRPC stands for. An end of the
// caller's own context isn't Jaeger's fault and stays what it is.
func classify(ctx context.Context, err error, begun bool) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%w: %w", cause, err)
	}
	switch code := status.Code(err); {
	case code == codes.NotFound:
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case begun, code == codes.ResourceExhausted:
		return fmt.Errorf("%w: %w", ErrTruncated, err)
	case code == codes.Unavailable, code == codes.DeadlineExceeded:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}
