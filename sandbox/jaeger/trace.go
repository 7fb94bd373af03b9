package jaeger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// TraceparentAnnotation is where an object keeps the context of its last change.
// The annotation's trace is the object's current trace; the root of that one
// links to the one before.
const TraceparentAnnotation = "tracing.k8s.io/traceparent"

// TraceIDOf gives the trace id and the span id in the annotations of an object,
// in hexadecimal digits.
func TraceIDOf(annotations map[string]string) (traceID, spanID string, err error) {
	value, found := annotations[TraceparentAnnotation]
	if !found {
		return "", "", fmt.Errorf("no annotation %s", TraceparentAnnotation)
	}
	carrier := propagation.MapCarrier{"traceparent": value}
	// Extract only wants somewhere to put the result.
	extracted := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	if !extracted.IsValid() {
		return "", "", fmt.Errorf("annotation %s is no W3C trace context: %q", TraceparentAnnotation, value)
	}
	return extracted.TraceID().String(), extracted.SpanID().String(), nil
}

// Trace is the spans that Jaeger had of a trace when it was asked. The zero
// value is a trace without spans. It doesn't change.
type Trace struct {
	// ID is in 32 lower-case hexadecimal digits.
	ID    string
	spans []model.Span
}

// newTrace keeps one of several equal spans: exporters send a span again where
// they missed the answer, and memory storage keeps both.
func newTrace(id model.TraceID, spans []model.Span) Trace {
	seen := map[string]bool{}
	distinct := slices.DeleteFunc(slices.Clone(spans), func(s model.Span) bool {
		data, err := s.Marshal()
		if err != nil || !seen[string(data)] {
			seen[string(data)] = true
			return false
		}
		return true
	})
	return Trace{ID: formatTraceID(id), spans: distinct}
}

// groupTraces takes the spans of a search apart, in the order of their first.
func groupTraces(spans []model.Span) []Trace {
	var order []model.TraceID
	groups := map[model.TraceID][]model.Span{}
	for _, s := range spans {
		if _, known := groups[s.TraceID]; !known {
			order = append(order, s.TraceID)
		}
		groups[s.TraceID] = append(groups[s.TraceID], s)
	}
	traces := make([]Trace, 0, len(order))
	for _, id := range order {
		traces = append(traces, newTrace(id, groups[id]))
	}
	return traces
}

// Jaeger's own String drops leading zeros.
func formatTraceID(id model.TraceID) string { return fmt.Sprintf("%016x%016x", id.High, id.Low) }
func formatSpanID(id model.SpanID) string   { return fmt.Sprintf("%016x", uint64(id)) }

// Len is the number of spans.
func (t Trace) Len() int { return len(t.spans) }

// Forest joins the spans by their parents.
func (t Trace) Forest() *spantree.Forest { return spantree.Build(t.Spans()) }

// Spans converts the spans to the model of expected trees.
//
// What Jaeger keeps as tags goes back to where OpenTelemetry has it: the kind,
// the status, the names of events. A span without a kind is INTERNAL: the Thrift
// exporter leaves that one out. The attributes of the resource are left out;
// links have no attributes, since api_v2 carries none.
func (t Trace) Spans() []spantree.Span {
	spans := make([]spantree.Span, 0, len(t.spans))
	for _, s := range t.spans {
		spans = append(spans, convert(s))
	}
	return spans
}

// Tags in which Jaeger keeps what OpenTelemetry has fields for.
const (
	tagKind          = "span.kind"
	tagError         = "error"
	tagStatusCode    = "otel.status_code"
	tagStatusMessage = "otel.status_description"
	tagScopeName     = "otel.scope.name"
	tagScopeVersion  = "otel.scope.version"
	tagLibrary       = "otel.library.name"
	tagLibraryVer    = "otel.library.version"
	tagTraceState    = "w3c.tracestate"
	tagFormat        = "internal.span.format"
	fieldEvent       = "event"
)

func convert(s model.Span) spantree.Span {
	parent, links := references(s)
	span := spantree.Span{
		TraceID: formatTraceID(s.TraceID), SpanID: formatSpanID(s.SpanID), ParentSpanID: parent, Links: links,
		Name: s.OperationName, Kind: spantree.KindInternal,
		Start: s.StartTime, End: s.StartTime.Add(s.Duration),
		Attributes: map[string]any{},
	}
	if s.Process != nil {
		span.Service = s.Process.ServiceName
	}
	for _, tag := range s.Tags {
		switch tag.Key {
		case tagKind:
			span.Kind = strings.ToUpper(tag.VStr)
		case tagStatusCode:
			span.Status.Code = map[string]string{"OK": spantree.StatusOK, "ERROR": spantree.StatusError}[strings.ToUpper(tag.VStr)]
		case tagStatusMessage:
			span.Status.Message = tag.VStr
		case tagError:
			if tag.VBool {
				span.Status.Code = spantree.StatusError
			}
		case tagScopeName, tagScopeVersion, tagLibrary, tagLibraryVer, tagTraceState, tagFormat:
		default:
			span.Attributes[tag.Key] = tag.Value()
		}
	}
	for _, log := range s.Logs {
		event := spantree.Event{Time: log.Timestamp, Attributes: map[string]any{}}
		for _, field := range log.Fields {
			if field.Key == fieldEvent {
				event.Name = field.VStr
				continue
			}
			event.Attributes[field.Key] = field.Value()
		}
		span.Events = append(span.Events, event)
	}
	return span
}

// references tells the parent from the links. The parent is the first CHILD_OF
// within the trace; everything else is a link, a FOLLOWS_FROM within the trace
// too, which Jaeger's UI shows as a parent where there is no other.
func references(s model.Span) (parent string, links []spantree.Link) {
	for _, ref := range s.References {
		if parent == "" && ref.RefType == model.ChildOf && ref.TraceID == s.TraceID {
			parent = formatSpanID(ref.SpanID)
			continue
		}
		links = append(links, spantree.Link{TraceID: formatTraceID(ref.TraceID), SpanID: formatSpanID(ref.SpanID)})
	}
	return parent, links
}

// JSON gives the trace as OTLP JSON, indented by nothing, as every tool that
// reads OTLP files takes it.
func (t Trace) JSON() ([]byte, error) {
	data, err := new(ptrace.JSONMarshaler).MarshalTraces(t.OTLP())
	if err != nil {
		return nil, fmt.Errorf("encoding trace %s as OTLP JSON: %w", t.ID, err)
	}
	return data, nil
}
