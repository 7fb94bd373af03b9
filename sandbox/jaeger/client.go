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

// DefaultLimit is the default maximum number of traces of a search.
const DefaultLimit = 100

// maxDepth is the largest possible limit of a search.
const maxDepth = 1 << 20

// Client reads traces. It is safe for concurrent use.
type Client struct {
	endpoint  string
	timeout   time.Duration
	transport transport
	// compareTags is true if the client must compare the tags of a search, because Jaeger may
	// ignore them.
	compareTags bool
}

// transport is one of the two interfaces of the query service. Errors with a known kind are *Error
// without their first two fields.
type transport interface {
	// trace returns the spans of a trace. If there are none, it returns no spans or ErrNotFound.
	trace(ctx context.Context, id pcommon.TraceID) (ptrace.Traces, error)
	// search returns at most depth traces. It may ignore the tags.
	search(ctx context.Context, q Query, depth int) (ptrace.Traces, error)
	services(ctx context.Context) ([]string, error)
	operations(ctx context.Context, service string) ([]Operation, error)
	close() error
}

// Dial returns a client of a query service. The form of the address determines the interface:
//
//	127.0.0.1:16685, grpc://127.0.0.1:16685    api_v2 over gRPC
//	grpcs://jaeger.example.com:443             the same with TLS
//	http://127.0.0.1:16686                     api_v3 over HTTP
//	https://example.com/jaeger                 the same with TLS, below a base path
//
// Dial does not connect; calls do. They also reconnect, at most one second after Jaeger is
// reachable again. Dial returns an error if the address is invalid. The caller must close the
// client.
func Dial(endpoint string, options ...Option) (*Client, error) {
	s := newSettings(options)
	a, err := parseAddress(endpoint, s.tls != nil)
	if err != nil {
		return nil, fmt.Errorf("creating a client of Jaeger at %q: %w", endpoint, err)
	}
	client := &Client{endpoint: endpoint, timeout: s.timeout}
	if a.base != nil {
		client.transport, client.compareTags = newHTTPTransport(a, s), true
		return client, nil
	}
	if client.transport, err = newGRPCTransport(a, s); err != nil {
		return nil, fmt.Errorf("creating a client of Jaeger at %q: %w", endpoint, err)
	}
	return client, nil
}

// Close closes the connections. Active calls over gRPC fail.
func (c *Client) Close() error { return c.transport.close() }

// bounded calls a transport with the client's timeout.
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

// GetTrace reads a trace by its id of up to 32 hexadecimal digits. It returns the spans as Jaeger
// stored them, without clock corrections. It returns [ErrNotFound] if Jaeger has no span of the
// trace, and never an incomplete trace.
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
		return Trace{}, &Error{Kind: ErrNotFound, Err: errors.New("the response has no span of the trace"), Remedy: remedyNotFound}
	})
}

// parseTraceID parses an id, whose leading zeros are optional.
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

// Query describes a search.
type Query struct {
	// Service is required, because Jaeger searches within one service.
	Service string
	// Operation is the name of a span in the trace; empty for any.
	Operation string
	// Tags are attributes of one span in the trace, including its resource, scope and events; nil
	// for any. Values are compared as texts. Over HTTP, Jaeger up to v2.13 ignores Tags. The client
	// then compares them itself, among at most Limit traces.
	Tags map[string]string
	// MinDuration and MaxDuration limit the duration of a span in the trace; 0 means no limit.
	MinDuration, MaxDuration time.Duration
	// From and To limit the start of the trace. The defaults are one hour ago and one minute ahead,
	// which tolerates clock skew.
	From, To time.Time
	// Limit is the maximum number of traces (default DefaultLimit). Each storage of Jaeger has its
	// own limit: the capacity of the memory storage, or 10,000. The memory storage refuses a higher
	// limit; others may silently return fewer traces.
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
		return q, errors.New("service is empty")
	case q.To.Before(q.From):
		return q, fmt.Errorf("the time range ends (%s) before it starts (%s)", q.To.Format(time.RFC3339), q.From.Format(time.RFC3339))
	case q.MinDuration < 0 || q.MaxDuration < 0 || (q.MaxDuration > 0 && q.MaxDuration < q.MinDuration):
		return q, fmt.Errorf("invalid range of durations from %s to %s", q.MinDuration, q.MaxDuration)
	}
	return q, nil
}

// FindTraces searches for traces and returns them in the order of Jaeger, usually the latest first.
// If there are more traces than the limit, it returns the traces up to the limit and
// [ErrTruncated]. It returns nil if there are none.
func (c *Client) FindTraces(ctx context.Context, q Query) ([]Trace, error) {
	doing := "searching traces of " + q.Service
	q, err := q.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	found, err := bounded(ctx, c, doing, func(ctx context.Context) ([]Trace, error) {
		// Request one more trace to detect whether there are more.
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
		Err: fmt.Errorf("more than %d traces", q.Limit), Remedy: "raise the limit, or search a shorter time range"}
}

// Services returns the sorted names of all services with spans in Jaeger.
func (c *Client) Services(ctx context.Context) ([]string, error) {
	services, err := bounded(ctx, c, "listing services", c.transport.services)
	slices.Sort(services)
	return services, err
}

// Operation is the name and kind of spans of a service.
type Operation struct {
	Name string
	// Kind is one of spantree's constants; spans without a kind are INTERNAL.
	Kind string
}

// Operations returns the sorted names and kinds of the spans of a service. It returns none and no
// error if Jaeger does not know the service.
func (c *Client) Operations(ctx context.Context, service string) ([]Operation, error) {
	operations, err := bounded(ctx, c, "listing operations of "+service, func(ctx context.Context) ([]Operation, error) {
		return c.transport.operations(ctx, service)
	})
	slices.SortFunc(operations, func(a, b Operation) int {
		return strings.Compare(a.Name+"\x00"+a.Kind, b.Name+"\x00"+b.Kind)
	})
	return slices.Compact(operations), err
}
