package jaeger

import (
	"encoding/binary"
	"strings"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Tags in which Jaeger's model stores fields of OpenTelemetry.
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
	attributeService = "service.name"
)

// fromModel converts spans of api_v2 to OpenTelemetry's model. It moves values that Jaeger stores
// as tags back to their fields: the kind, the status, the scope, the trace state and the names of
// events.
func fromModel(spans []model.Span) ptrace.Traces {
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
		scope.Scope().SetName(stringTag(s.Tags, tagScopeName, tagLibrary))
		scope.Scope().SetVersion(stringTag(s.Tags, tagScopeVersion, tagLibraryVer))
		fillSpan(scope.Spans().AppendEmpty(), s)
	}
	return traces
}

func fillResource(to pcommon.Resource, from *model.Process) {
	if from == nil {
		return
	}
	to.Attributes().PutStr(attributeService, from.ServiceName)
	for _, tag := range from.Tags {
		putValue(to.Attributes(), tag)
	}
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
			if field.Key == fieldEvent {
				event.SetName(field.VStr)
				continue
			}
			putValue(event.Attributes(), field)
		}
	}
}

func fillTag(to ptrace.Span, tag model.KeyValue) {
	switch tag.Key {
	case tagKind:
		to.SetKind(kindOf[strings.ToUpper(tag.VStr)])
	case tagStatusCode:
		switch strings.ToUpper(tag.VStr) {
		case "OK":
			to.Status().SetCode(ptrace.StatusCodeOk)
		case "ERROR":
			to.Status().SetCode(ptrace.StatusCodeError)
		}
	case tagStatusMessage:
		to.Status().SetMessage(tag.VStr)
	case tagError:
		if tag.VType == model.BoolType && tag.VBool {
			to.Status().SetCode(ptrace.StatusCodeError)
			return
		}
		putValue(to.Attributes(), tag)
	case tagTraceState:
		to.TraceState().FromRaw(tag.VStr)
	case tagScopeName, tagScopeVersion, tagLibrary, tagLibraryVer, tagFormat:
	default:
		putValue(to.Attributes(), tag)
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

func putValue(to pcommon.Map, tag model.KeyValue) {
	switch tag.VType {
	case model.BoolType:
		to.PutBool(tag.Key, tag.VBool)
	case model.Int64Type:
		to.PutInt(tag.Key, tag.VInt64)
	case model.Float64Type:
		to.PutDouble(tag.Key, tag.VFloat64)
	case model.BinaryType:
		to.PutEmptyBytes(tag.Key).FromRaw(tag.VBinary)
	default:
		to.PutStr(tag.Key, tag.VStr)
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
