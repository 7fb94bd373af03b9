package tracetree

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/foreign"
)

// The kinds of errors of reading. An error wraps at most one of them.
var (
	// ErrUnreachable: no response within the timeout, or a response from another server than
	// Jaeger.
	ErrUnreachable = errors.New("jaeger is unreachable")
	// ErrUnauthorized: Jaeger, or a proxy, rejected the credentials.
	ErrUnauthorized = errors.New("not authorized")
	// ErrNotFound: Jaeger has no span of the trace (yet).
	ErrNotFound = errors.New("trace not found")
	// ErrTruncated: the response is incomplete or too large.
	ErrTruncated = errors.New("answer is truncated")
)

// Reader reads traces. An error of GetTrace has one of the package's kinds, or cannot be resolved
// by a retry. It is [ErrNotFound] for a trace without spans.
type Reader interface {
	GetTrace(ctx context.Context, traceID string) (Trace, error)
	Services(ctx context.Context) ([]string, error)
}

// Searcher is a [Reader] that can also search. The client in package jaeger implements it.
type Searcher interface {
	Reader
	FindTraces(ctx context.Context, q Query) ([]Trace, error)
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
	// Limit is the maximum number of traces (default 100). Each storage of Jaeger has its own
	// limit: the capacity of the memory storage, or 10,000. The memory storage refuses a higher
	// limit; others may silently return fewer traces.
	Limit int
}

// Matches reports whether a span of the trace has the service, the operation and the tags. It is
// true without tags. Jaeger treats the tags error and span.kind specially, and so does Matches.
func (q Query) Matches(t Trace) bool {
	return len(q.Tags) == 0 || slices.ContainsFunc(t.elements, func(e element) bool {
		return e.service() == q.Service && (q.Operation == "" || e.span.Name() == q.Operation) && e.hasAll(q.Tags)
	})
}

func (e element) hasAll(tags map[string]string) bool {
	for key, want := range tags {
		if !e.has(key, want) {
			return false
		}
	}
	return true
}

func (e element) has(key, want string) bool {
	failed := e.span.Status().Code() == ptrace.StatusCodeError
	switch {
	case key == attributeError && want == "true" && failed, key == attributeError && want == "false" && !failed,
		key == "span.kind" && kindName(want) == e.kind():
		return true
	}
	places := []pcommon.Map{e.span.Attributes(), e.resource.Resource().Attributes(), e.scope.Scope().Attributes()}
	for _, event := range e.span.Events().All() {
		places = append(places, event.Attributes())
	}
	for _, place := range places {
		if value, found := place.Get(key); found && value.AsString() == want {
			return true
		}
	}
	return false
}

// maxServices is the maximum number of services in a search for an object or a writer, because
// Jaeger searches one service at a time.
const maxServices = 64

// searchAll searches every service. It ignores the limit of a search.
func searchAll(ctx context.Context, from Searcher, q Query) (all []Trace, err error) {
	services, err := from.Services(ctx)
	if err != nil {
		return nil, err
	}
	for _, q.Service = range services[:min(maxServices, len(services))] {
		if q.Service == "" {
			continue
		}
		found, err := from.FindTraces(ctx, q)
		if err != nil && !errors.Is(err, ErrTruncated) {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// Retryable reports whether a retry can resolve an error of a [Reader]. It is also true if the error
// only means that the caller's context is done.
func Retryable(ctx context.Context, err error) bool {
	return interrupted(ctx, err) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrTruncated)
}

// interrupted reports whether an error of a reader only means that the caller's context is done.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// ErrNoTraces is returned for a file that is valid JSON but has no spans.
var ErrNoTraces = errors.New("no spans")

// ReadOTLP reads OTLP JSON and returns the traces in the order of their first spans. The data is
// one document with resourceSpans or several in sequence, as the collector writes them line by
// line. Each can also be the result of an object, as in a response of Jaeger, or of Grafana Tempo, and
// have ids in base64. Documents with other signals (metrics, logs and profiles) are ignored: the
// collector's file exporter mixes them.
//
// The data can be compressed with gzip, and encoded in UTF-16.
//
// ReadOTLP returns an error and no traces if any part is invalid: invalid JSON, spans without ids,
// ids that are not hexadecimal, or no spans at all ([ErrNoTraces]). The error starts with the name
// of the file, the line and the byte, in a form that editors recognize. If a document is valid
// JSON but not OTLP, the position is the start of the document.
func ReadOTLP(name string, data []byte) ([]Trace, error) {
	data, err := foreign.Text(data)
	if err != nil {
		return nil, fmt.Errorf("%s:1: at byte 0: %w", name, err)
	}
	all := ptrace.NewTraces()
	for document, err := range foreign.Documents(data) {
		var traces ptrace.Traces
		if err == nil {
			traces, err = readDocument(document.Data)
		}
		if errors.Is(err, foreign.ErrNotJSON) {
			err = noTraces(data)
		}
		if err != nil {
			offset := min(document.Offset, int64(len(data)))
			return nil, fmt.Errorf("%s:%d: at byte %d: %w", name, 1+bytes.Count(data[:offset], []byte("\n")), offset, err)
		}
		traces.ResourceSpans().MoveAndAppendTo(all.ResourceSpans())
	}
	if all.SpanCount() == 0 {
		return nil, fmt.Errorf("%s:1: at byte 0: %w", name, noTraces(data))
	}
	return FromOTLP(all), nil
}

// noTraces returns the error about a document without spans.
func noTraces(document []byte) error {
	return fmt.Errorf("%w: want an object with resourceSpans, got %s", ErrNoTraces, foreign.Describe(document))
}

// otherSignals are the fields of OTLP's other signals (opentelemetry-proto, *_service.proto).
var otherSignals = []string{"resourceMetrics", "resource_metrics", "resourceLogs", "resource_logs", "resourceProfiles", "resource_profiles"}

func readDocument(document []byte) (ptrace.Traces, error) {
	fields, err := foreign.Fields(document)
	if _, wrapped := fields["result"]; wrapped { // Once: each level would be read again.
		var outer struct {
			Result json.RawMessage `json:"result"`
		}
		if err = json.Unmarshal(document, &outer); err == nil {
			document = outer.Result
			fields, err = foreign.Fields(document)
		}
	}
	if err != nil {
		return ptrace.Traces{}, noTraces(document)
	}
	has := func(field string) bool { _, found := fields[field]; return found }
	if has("resourceSpans") || has("resource_spans") {
		return decode(document)
	}
	if otlp, known := foreign.Normalize(document); known {
		return decode(otlp)
	}
	if slices.ContainsFunc(otherSignals, has) {
		return ptrace.NewTraces(), nil
	}
	return ptrace.Traces{}, noTraces(document)
}

// decode decodes OTLP JSON, whose ids are hexadecimal or in base64, and checks the ids.
func decode(document []byte) (ptrace.Traces, error) {
	// protojson would decode the hexadecimal ids as base64.
	traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(document)
	if err != nil {
		if otlp, known := foreign.Normalize(document); known {
			traces, err = new(ptrace.JSONUnmarshaler).UnmarshalTraces(otlp)
		}
	}
	if err != nil {
		return traces, fmt.Errorf("decoding OTLP JSON: %w", foreign.Cause(err))
	}
	for e := range elements(traces) {
		switch {
		case e.span.TraceID().IsEmpty():
			return traces, fmt.Errorf("span %q has no trace id", e.span.Name())
		case e.span.SpanID().IsEmpty():
			return traces, fmt.Errorf("span %q of trace %s has no id", e.span.Name(), e.span.TraceID())
		}
	}
	return traces, nil
}
