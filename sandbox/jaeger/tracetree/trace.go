package tracetree

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// TraceparentAnnotation is the annotation with the trace context of an object's last change. Its
// trace is the current trace of the object, and the root of that trace links to the previous one.
const TraceparentAnnotation = "tracing.k8s.io/traceparent"

// TraceIDOf returns the trace id and the span id in the annotations of an object, in hexadecimal
// digits.
func TraceIDOf(annotations map[string]string) (traceID, spanID string, err error) {
	value, found := annotations[TraceparentAnnotation]
	if !found {
		return "", "", fmt.Errorf("no annotation %s", TraceparentAnnotation)
	}
	carrier := propagation.MapCarrier{"traceparent": value}
	// Extract uses the context only for its result.
	extracted := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	if !extracted.IsValid() {
		return "", "", fmt.Errorf("annotation %s is not a W3C trace context: %q", TraceparentAnnotation, value)
	}
	return extracted.TraceID().String(), extracted.SpanID().String(), nil
}

// Trace contains the spans of one trace, as Jaeger returned them or from a file. After [ReadTree]
// or [Join] it also contains the spans of its continuations, each with the id of its own trace. The
// zero value is a trace without spans. A Trace is immutable and safe for concurrent use.
type Trace struct {
	// ID has 32 lower-case hexadecimal digits.
	ID       string
	elements []element
	// writers maps the id of each continuation to the span that it continues.
	writers map[string]writer
	cut     bool
}

// Len returns the number of spans.
func (t Trace) Len() int { return len(t.elements) }

// Without returns the trace without the spans of instrumentation scopes. A remaining span whose
// parent was omitted has a missing parent, and a continuation of an omitted span has its own roots.
func (t Trace) Without(scopes ...string) Trace {
	t.elements = slices.DeleteFunc(slices.Clone(t.elements), func(e element) bool { return slices.Contains(scopes, e.scope.Scope().Name()) })
	return t
}

// End returns the latest end of a span, or the zero time if there are no spans.
func (t Trace) End() time.Time {
	var last time.Time
	for _, e := range t.elements {
		if end := e.span.EndTimestamp().AsTime(); end.After(last) {
			last = end
		}
	}
	return last
}

const (
	attributeService = "service.name"
	attributeError   = "error"
	// attributeWarnings is an attribute that Jaeger adds to spans with warnings.
	attributeWarnings = "@jaeger@warnings"
	// attributeRefType is an attribute that Jaeger adds to links from references.
	attributeRefType = "opentracing.ref_type"
)

// kindName converts Jaeger's or OpenTelemetry's name of a span kind to spantree's.
func kindName(kind string) string {
	if kind == "" || kind == ptrace.SpanKindUnspecified.String() {
		return spantree.KindInternal
	}
	return strings.ToUpper(kind)
}

func (e element) kind() string { return kindName(e.span.Kind().String()) }

// Spans converts the spans to package spantree's model, in their order.
//
// The result does not depend on the query interface, except for the attributes of links, which
// api_v2 does not transmit. To achieve this, Spans applies the limitations of api_v2: a span
// without a kind is INTERNAL, an attribute error with the value true is the status Error, and
// arrays and maps are their JSON text. The result has no attributes of resources and scopes; see
// [Trace.OTLP].
func (t Trace) Spans() []spantree.Span {
	spans := make([]spantree.Span, 0, len(t.elements))
	traceID := "" // All spans of a trace share the text.
	for _, e := range t.elements {
		span := convert(e)
		if span.TraceID != traceID {
			traceID = span.TraceID
		}
		span.TraceID = traceID
		spans = append(spans, span)
	}
	return spans
}

func convert(e element) spantree.Span {
	s := e.span
	span := spantree.Span{
		TraceID: s.TraceID().String(), SpanID: s.SpanID().String(), ParentSpanID: s.ParentSpanID().String(),
		Name: s.Name(), Kind: e.kind(), Service: e.service(),
		Start: s.StartTimestamp().AsTime(), End: s.EndTimestamp().AsTime(),
		Status:     spantree.Status{Message: s.Status().Message()},
		Attributes: plain(s.Attributes()),
	}
	if code := s.Status().Code(); code != ptrace.StatusCodeUnset {
		span.Status.Code = code.String()
	}
	delete(span.Attributes, attributeWarnings)
	if failed, _ := span.Attributes[attributeError].(bool); failed {
		span.Status.Code = spantree.StatusError
		delete(span.Attributes, attributeError)
	}
	for _, l := range s.Links().All() {
		link := spantree.Link{TraceID: l.TraceID().String(), SpanID: l.SpanID().String()}
		attributes := plain(l.Attributes())
		if delete(attributes, attributeRefType); len(attributes) > 0 {
			link.Attributes = attributes
		}
		span.Links = append(span.Links, link)
	}
	for _, event := range s.Events().All() {
		span.Events = append(span.Events, spantree.Event{
			Name: event.Name(), Time: event.Timestamp().AsTime(), Attributes: plain(event.Attributes()),
		})
	}
	return span
}

func (e element) service() string {
	name, found := e.resource.Resource().Attributes().Get(attributeService)
	if !found {
		return ""
	}
	return name.AsString()
}

// plain converts attributes to Go values: string, bool, int64, float64 and []byte.
func plain(attributes pcommon.Map) map[string]any {
	values := make(map[string]any, attributes.Len())
	for key, value := range attributes.All() {
		switch value.Type() {
		case pcommon.ValueTypeMap, pcommon.ValueTypeSlice, pcommon.ValueTypeEmpty:
			values[key] = value.AsString()
		default:
			values[key] = value.AsRaw()
		}
	}
	return values
}
