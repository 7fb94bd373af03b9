package jaeger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// Limits of a search.
const (
	defaultLimit = 100
	maxLimit     = 1 << 20
)

// Client reads traces. It is safe for concurrent use.
type Client struct {
	settings  settings
	transport transport
}

// transport is one of the two interfaces of the query service. Errors with a known kind are *Error
// without their first two fields.
type transport interface {
	// trace returns the spans of a trace. If there are none, it returns no spans or ErrNotFound.
	trace(ctx context.Context, id model.TraceID) (ptrace.Traces, error)
	// search returns at most depth traces. It may ignore the tags.
	search(ctx context.Context, q tracetree.Query, depth int) (ptrace.Traces, error)
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
	s, err := newSettings(endpoint, options)
	if err != nil {
		return nil, fmt.Errorf("creating a client of Jaeger at %q: %w", endpoint, err)
	}
	if s.base != nil {
		return &Client{settings: s, transport: &httpTransport{s, s.httpClient()}}, nil
	}
	transport, err := newGRPCTransport(s)
	if err != nil {
		return nil, fmt.Errorf("creating a client of Jaeger at %q: %w", endpoint, err)
	}
	return &Client{settings: s, transport: transport}, nil
}

// Close closes the connections. Active calls over gRPC fail.
func (c *Client) Close() error { return c.transport.close() }

// GetTrace reads a trace by its id of up to 32 hexadecimal digits. It returns the spans as Jaeger
// stored them, without clock corrections. It returns [tracetree.ErrNotFound] if Jaeger has no span
// of the trace, and never an incomplete trace.
func (c *Client) GetTrace(ctx context.Context, traceID string) (tracetree.Trace, error) {
	id, err := model.TraceIDFromString(traceID)
	if err != nil || id == (model.TraceID{}) {
		return tracetree.Trace{}, fmt.Errorf("reading trace %q: invalid id; want 1 to 32 hexadecimal digits, not all zero", traceID)
	}
	return bounded(ctx, c.settings, "reading trace "+traceID, func(ctx context.Context) (tracetree.Trace, error) {
		spans, err := c.transport.trace(ctx, id)
		if err != nil {
			return tracetree.Trace{}, err
		}
		for _, trace := range tracetree.FromOTLP(spans) {
			if trace = trace.Without(c.settings.without...); trace.ID == digits(id) && trace.Len() > 0 {
				return trace, nil
			}
		}
		return tracetree.Trace{}, &Error{Kind: tracetree.ErrNotFound, Err: errors.New("the response has no span of the trace"), Remedy: remedyNotFound}
	})
}

// digits returns 32 hexadecimal digits. The id's own text has no leading zeros.
func digits(id model.TraceID) string { return fmt.Sprintf("%016x%016x", id.High, id.Low) }

// withDefaults returns a query with its defaults, or an error if it is invalid.
func withDefaults(q tracetree.Query) (tracetree.Query, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	q.Limit = min(q.Limit, maxLimit)
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
// [tracetree.ErrTruncated]. It returns nil if there are none.
func (c *Client) FindTraces(ctx context.Context, q tracetree.Query) ([]tracetree.Trace, error) {
	doing := "searching traces of " + q.Service
	q, err := withDefaults(q)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	found, err := bounded(ctx, c.settings, doing, func(ctx context.Context) ([]tracetree.Trace, error) {
		// Request one more trace to detect whether there are more.
		spans, err := c.transport.search(ctx, q, q.Limit+1)
		if errors.Is(err, tracetree.ErrNotFound) {
			return nil, nil
		}
		return tracetree.FromOTLP(spans), err
	})
	if err != nil {
		return nil, err
	}
	truncated := len(found) > q.Limit
	for i, trace := range found {
		found[i] = trace.Without(c.settings.without...)
	}
	found = slices.DeleteFunc(found, func(t tracetree.Trace) bool { return t.Len() == 0 })
	if c.settings.base != nil || len(c.settings.without) > 0 { // Over HTTP, Jaeger may ignore the tags.
		found = slices.DeleteFunc(found, func(t tracetree.Trace) bool { return !q.Matches(t) })
	}
	if !truncated {
		return found, nil
	}
	return found[:min(q.Limit, len(found))], &Error{Doing: doing, Endpoint: c.settings.endpoint, Kind: tracetree.ErrTruncated,
		Err: fmt.Errorf("more than %d traces", q.Limit), Remedy: "raise the limit, or search a shorter time range"}
}

// Services returns the sorted names of all services with spans in Jaeger.
func (c *Client) Services(ctx context.Context) ([]string, error) {
	services, err := bounded(ctx, c.settings, "listing services", c.transport.services)
	slices.Sort(services)
	return services, err
}

// Operation is the name and kind of spans of a service.
type Operation struct {
	Name string `json:"name"`
	// Kind is one of spantree's constants; spans without a kind are INTERNAL.
	Kind string `json:"spanKind"`
}

// Operations returns the sorted names and kinds of the spans of a service. It returns none and no
// error if Jaeger does not know the service.
func (c *Client) Operations(ctx context.Context, service string) ([]Operation, error) {
	operations, err := bounded(ctx, c.settings, "listing operations of "+service, func(ctx context.Context) ([]Operation, error) {
		return c.transport.operations(ctx, service)
	})
	for i := range operations {
		operations[i].Kind = cmp.Or(strings.ToUpper(operations[i].Kind), spantree.KindInternal)
	}
	slices.SortFunc(operations, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return slices.Compact(operations), err
}
