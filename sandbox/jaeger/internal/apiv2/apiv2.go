// Package apiv2 converts spans of Jaeger's api_v2 to OpenTelemetry's model.
package apiv2

import (
	"encoding/binary"
	"strings"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var kinds = map[string]ptrace.SpanKind{
	"INTERNAL": ptrace.SpanKindInternal, "SERVER": ptrace.SpanKindServer, "CLIENT": ptrace.SpanKindClient,
	"PRODUCER": ptrace.SpanKindProducer, "CONSUMER": ptrace.SpanKindConsumer,
}

var statusCodes = map[string]ptrace.StatusCode{"OK": ptrace.StatusCodeOk, "ERROR": ptrace.StatusCodeError}

// Traces converts spans, each with its process as the resource. It moves values that Jaeger stores
// as tags back to their fields: the kind, the status, the scope, the trace state and the names of
// events. The translator of the OpenTelemetry Collector cannot replace this function: it also
// derives a status from HTTP status codes, which api_v3 does not.
func Traces(spans []model.Span) ptrace.Traces {
	traces := ptrace.NewTraces()
	resources := map[*model.Process]ptrace.ResourceSpans{}
	for _, s := range spans {
		resource, known := resources[s.Process]
		if !known {
			resource = traces.ResourceSpans().AppendEmpty()
			fillResource(resource.Resource(), s.Process)
			resources[s.Process] = resource
		}
		scope := resource.ScopeSpans().AppendEmpty()
		scope.Scope().SetName(stringTag(s.Tags, "otel.scope.name", "otel.library.name"))
		scope.Scope().SetVersion(stringTag(s.Tags, "otel.scope.version", "otel.library.version"))
		fillSpan(scope.Spans().AppendEmpty(), s)
	}
	return traces
}

func fillResource(to pcommon.Resource, from *model.Process) {
	if from == nil {
		return
	}
	to.Attributes().PutStr("service.name", from.ServiceName)
	putValues(to.Attributes(), from.Tags...)
}

func fillSpan(to ptrace.Span, from model.Span) {
	to.SetTraceID(traceID(from.TraceID))
	to.SetSpanID(spanID(from.SpanID))
	to.SetName(from.OperationName)
	to.SetStartTimestamp(pcommon.NewTimestampFromTime(from.StartTime))
	to.SetEndTimestamp(pcommon.NewTimestampFromTime(from.StartTime.Add(from.Duration)))
	fillReferences(to, from)
	for _, tag := range from.Tags {
		fillTag(to, tag)
	}
	for _, log := range from.Logs {
		event := to.Events().AppendEmpty()
		event.SetTimestamp(pcommon.NewTimestampFromTime(log.Timestamp))
		for _, field := range log.Fields {
			if field.Key == "event" {
				event.SetName(field.VStr)
				continue
			}
			putValues(event.Attributes(), field)
		}
	}
}

func fillTag(to ptrace.Span, tag model.KeyValue) {
	switch tag.Key {
	case "span.kind":
		to.SetKind(kinds[strings.ToUpper(tag.VStr)])
	case "otel.status_code":
		if code, known := statusCodes[strings.ToUpper(tag.VStr)]; known {
			to.Status().SetCode(code)
		}
	case "otel.status_description":
		to.Status().SetMessage(tag.VStr)
	case "error":
		if tag.VType == model.BoolType && tag.VBool {
			to.Status().SetCode(ptrace.StatusCodeError)
			return
		}
		putValues(to.Attributes(), tag)
	case "w3c.tracestate":
		to.TraceState().FromRaw(tag.VStr)
	case "otel.scope.name", "otel.scope.version", "otel.library.name", "otel.library.version", "internal.span.format":
	default:
		putValues(to.Attributes(), tag)
	}
}

// fillReferences sets the parent and the links. The parent is the first CHILD_OF reference within
// the trace. All other references are links, including FOLLOWS_FROM within the trace, which
// Jaeger's UI shows as a parent if there is no other.
func fillReferences(to ptrace.Span, from model.Span) {
	for _, ref := range from.References {
		if to.ParentSpanID().IsEmpty() && ref.RefType == model.ChildOf && ref.TraceID == from.TraceID {
			to.SetParentSpanID(spanID(ref.SpanID))
			continue
		}
		link := to.Links().AppendEmpty()
		link.SetTraceID(traceID(ref.TraceID))
		link.SetSpanID(spanID(ref.SpanID))
	}
}

func putValues(to pcommon.Map, tags ...model.KeyValue) {
	for _, tag := range tags {
		// FromRaw supports all types of tags.
		_ = to.PutEmpty(tag.Key).FromRaw(tag.Value())
	}
}

// stringTag returns the value of the first existing tag.
func stringTag(tags model.KeyValues, keys ...string) string {
	for _, key := range keys {
		if tag, found := tags.FindByKey(key); found {
			return tag.VStr
		}
	}
	return ""
}

func traceID(id model.TraceID) (bytes pcommon.TraceID) {
	binary.BigEndian.PutUint64(bytes[:8], id.High)
	binary.BigEndian.PutUint64(bytes[8:], id.Low)
	return bytes
}

func spanID(id model.SpanID) (bytes pcommon.SpanID) {
	binary.BigEndian.PutUint64(bytes[:], uint64(id))
	return bytes
}
