package jaeger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// DefaultLimit is the number of traces that a search gives at most.
const DefaultLimit = 100

// maxDepth is the largest number of traces that is ever asked for.
const maxDepth = 1 << 20

// Client reads traces. It may be used by several goroutines at a time.
type Client struct {
	endpoint  string
	timeout   time.Duration
	transport transport
	// compareTags: Jaeger may not have looked at the tags of a search.
	compareTags bool
}

// transport is one of the two interfaces of the query service. Errors are *Error
// without their first two fields where their kind is known.
type transport interface {
	// trace gives the spans of a trace. None, or ErrNotFound, mean the same.
	trace(ctx context.Context, id pcommon.TraceID) (ptrace.Traces, error)
	// search gives at most depth traces. It may leave the tags to the caller.
	search(ctx context.Context, q Query, depth int) (ptrace.Traces, error)
	services(ctx context.Context) ([]string, error)
	operations(ctx context.Context, service string) ([]Operation, error)
	close() error
}

// Dial makes a client of a query service. The form of the address chooses the
// interface:
//
//	127.0.0.1:16685, grpc://127.0.0.1:16685    api_v2 over gRPC
//	grpcs://jaeger.example.com:443             the same with TLS
//	http://127.0.0.1:16686                     api_v3 over HTTP
//	https://example.com/jaeger                 the same with TLS, below a base path
//
// It doesn't connect yet: calls do, again after a lost connection, and at most a
// second after Jaeger has come back. An address that can't be one is an error.
// The caller closes the client.
func Dial(endpoint string, options ...Option) (*Client, error) {
	s := newSettings(options)
	a, err := parseAddress(endpoint, s.tls != nil)
	if err != nil {
		return nil, fmt.Errorf("making a client of Jaeger at %q: %w", endpoint, err)
	}
	client := &Client{endpoint: endpoint, timeout: s.timeout}
	if a.base != nil {
		client.transport, client.compareTags = newHTTPTransport(a, s), true
		return client, nil
	}
	if client.transport, err = newGRPCTransport(a, s); err != nil {
		return nil, fmt.Errorf("making a client of Jaeger at %q: %w", endpoint, err)
	}
	return client, nil
}

// Close ends the connections. Calls over gRPC that are under way fail.
func (c *Client) Close() error { return c.transport.close() }

// bounded makes a call of a transport within the client's timeout.
func bounded[T any](ctx context.Context, c *Client, doing string, call func(context.Context) (T, error)) (T, error) {
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	result, err := call(within)
	if err == nil {
		return result, nil
	}
	var none T
	return none, finish(ctx, within, doing, c.endpoint, c.timeout, err)
}

// GetTrace reads a trace by its id: up to 32 hexadecimal digits. The spans are
// as Jaeger stored them, without its corrections of clocks. Where Jaeger has
// none, the error is [ErrNotFound]. It gives the whole trace or an error.
func (c *Client) GetTrace(ctx context.Context, traceID string) (Trace, error) {
	id, err := parseTraceID(traceID)
	if err != nil {
		return Trace{}, fmt.Errorf("reading trace %q: %w", traceID, err)
	}
	return bounded(ctx, c, "reading trace "+traceID, func(ctx context.Context) (Trace, error) {
		spans, err := c.transport.trace(ctx, id)
		if err != nil {
			return Trace{}, err
		}
		for _, trace := range FromOTLP(spans) {
			if trace.ID == id.String() {
				return trace, nil
			}
		}
		return Trace{}, &Error{Kind: ErrNotFound, Err: errors.New("the answer has no span of it"), Remedy: remedyNotFound}
	})
}

// parseTraceID reads an id that may lack leading zeros.
func parseTraceID(text string) (id pcommon.TraceID, err error) {
	if len(text) == 0 || len(text) > 2*len(id) {
		return id, fmt.Errorf("parsing its id: %d characters, want 1 to 32 hexadecimal digits", len(text))
	}
	if _, err := hex.Decode(id[:], []byte(strings.Repeat("0", 2*len(id)-len(text))+text)); err != nil {
		return id, fmt.Errorf("parsing its id: want hexadecimal digits: %w", err)
	}
	if id.IsEmpty() {
		return id, errors.New("the id is zero")
	}
	return id, nil
}

// Query says which traces to search for.
type Query struct {
	// Service is required: Jaeger searches within one service.
	Service string
	// Operation is the name of a span of the trace; empty for any.
	Operation string
	// Tags are attributes that one span of the trace, with its resource, its scope
	// and its events, has; nil for any. Values are compared as texts. Over HTTP
	// Jaeger up to v2.13 doesn't look at them; the client then does, among the
	// traces that the limit lets come.
	Tags map[string]string
	// MinDuration and MaxDuration bound how long a span of the trace took; 0 leaves
	// the bound out.
	MinDuration, MaxDuration time.Duration
	// From and To bound the start of the trace. Zero values are an hour ago and
	// a minute ahead, which allows for skewed clocks.
	From, To time.Time
	// Limit is the number of traces at most; 0 is DefaultLimit. Jaeger has a limit
	// of its own, by its storage: the number of traces that the memory keeps, or
	// 10,000. Memory refuses more; others may give fewer and not say so.
	Limit int
}

func (q Query) withDefaults() (Query, error) {
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	q.Limit = min(q.Limit, maxDepth)
	if q.From.IsZero() {
		q.From = time.Now().Add(-time.Hour)
	}
	if q.To.IsZero() {
		q.To = time.Now().Add(time.Minute)
	}
	switch {
	case q.Service == "":
		return q, errors.New("no service is named")
	case q.To.Before(q.From):
		return q, fmt.Errorf("the time ends (%s) before it begins (%s)", q.To.Format(time.RFC3339), q.From.Format(time.RFC3339))
	case q.MinDuration < 0 || q.MaxDuration < 0 || (q.MaxDuration > 0 && q.MaxDuration < q.MinDuration):
		return q, fmt.Errorf("durations from %s to %s are no range", q.MinDuration, q.MaxDuration)
	}
	return q, nil
}

// FindTraces searches for traces, in the order in which Jaeger gives them: the
// latest first, mostly. Where there are more than the limit the error is
// [ErrTruncated], and the traces up to it are given too. No trace is no error.
func (c *Client) FindTraces(ctx context.Context, q Query) ([]Trace, error) {
	doing := "searching traces of " + q.Service
	q, err := q.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	found, err := bounded(ctx, c, doing, func(ctx context.Context) ([]Trace, error) {
		// One more than asked for tells whether there are more.
		spans, err := c.transport.search(ctx, q, q.Limit+1)
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		return FromOTLP(spans), err
	})
	if err != nil {
		return nil, err
	}
	truncated := len(found) > q.Limit
	if c.compareTags {
		found = slices.DeleteFunc(found, func(t Trace) bool { return !t.tagged(q) })
	}
	if !truncated {
		return found, nil
	}
	return found[:min(q.Limit, len(found))], &Error{Doing: doing, Endpoint: c.endpoint, Kind: ErrTruncated,
		Err: fmt.Errorf("more than %d traces", q.Limit), Remedy: "raise the limit, or search a shorter time"}
}

// Services lists the services that Jaeger has spans of, sorted.
func (c *Client) Services(ctx context.Context) ([]string, error) {
	services, err := bounded(ctx, c, "listing services", c.transport.services)
	slices.Sort(services)
	return services, err
}

// Operation is a name that spans of a service have, and their kind.
type Operation struct {
	Name string
	// Kind is one of spantree's constants; spans that state none are INTERNAL.
	Kind string
}

// Operations lists the names and kinds of the spans of a service, sorted. A
// service that Jaeger doesn't know has none, and is no error.
func (c *Client) Operations(ctx context.Context, service string) ([]Operation, error) {
	operations, err := bounded(ctx, c, "listing operations of "+service, func(ctx context.Context) ([]Operation, error) {
		return c.transport.operations(ctx, service)
	})
	slices.SortFunc(operations, func(a, b Operation) int {
		return strings.Compare(a.Name+"\x00"+a.Kind, b.Name+"\x00"+b.Kind)
	})
	return slices.Compact(operations), err
}
