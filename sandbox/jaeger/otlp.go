package jaeger

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// OTLP converts the trace to OpenTelemetry's protocol: resources and scopes are
// those that the spans were sent with, as far as Jaeger keeps them.
func (t Trace) OTLP() ptrace.Traces {
	traces := ptrace.NewTraces()
	type scopeKey struct{ resource, name, version string }
	resources := map[string]ptrace.ResourceSpans{}
	scopes := map[scopeKey]ptrace.ScopeSpans{}
	for _, s := range t.spans {
		process := s.Process
		if process == nil {
			process = &model.Process{}
		}
		key := scopeKey{resource: process.String(), name: stringTag(s.Tags, tagScopeName, tagLibrary), version: stringTag(s.Tags, tagScopeVersion, tagLibraryVer)}
		resource, known := resources[key.resource]
		if !known {
			resource = traces.ResourceSpans().AppendEmpty()
			attributes := resource.Resource().Attributes()
			attributes.PutStr("service.name", process.ServiceName)
			for _, tag := range process.Tags {
				putValue(attributes, tag.Key, tag.Value())
			}
			resources[key.resource] = resource
		}
		scope, known := scopes[key]
		if !known {
			scope = resource.ScopeSpans().AppendEmpty()
			scope.Scope().SetName(key.name)
			scope.Scope().SetVersion(key.version)
			scopes[key] = scope
		}
		fillSpan(scope.Spans().AppendEmpty(), convert(s))
		if state := stringTag(s.Tags, tagTraceState); state != "" {
			scope.Spans().At(scope.Spans().Len() - 1).TraceState().FromRaw(state)
		}
	}
	return traces
}

func fillSpan(to ptrace.Span, from spantree.Span) {
	to.SetTraceID(traceIDBytes(from.TraceID))
	to.SetSpanID(spanIDBytes(from.SpanID))
	if !from.IsRoot() {
		to.SetParentSpanID(spanIDBytes(from.ParentSpanID))
	}
	to.SetName(from.Name)
	to.SetKind(kinds[from.Kind])
	to.SetStartTimestamp(pcommon.NewTimestampFromTime(from.Start))
	to.SetEndTimestamp(pcommon.NewTimestampFromTime(from.End))
	to.Status().SetCode(statusCodes[from.Status.Code])
	to.Status().SetMessage(from.Status.Message)
	putAll(to.Attributes(), from.Attributes)
	for _, link := range from.Links {
		l := to.Links().AppendEmpty()
		l.SetTraceID(traceIDBytes(link.TraceID))
		l.SetSpanID(spanIDBytes(link.SpanID))
	}
	for _, event := range from.Events {
		e := to.Events().AppendEmpty()
		e.SetName(event.Name)
		e.SetTimestamp(pcommon.NewTimestampFromTime(event.Time))
		putAll(e.Attributes(), event.Attributes)
	}
}

var kinds = map[string]ptrace.SpanKind{
	spantree.KindInternal: ptrace.SpanKindInternal, spantree.KindServer: ptrace.SpanKindServer,
	spantree.KindClient: ptrace.SpanKindClient, spantree.KindProducer: ptrace.SpanKindProducer,
	spantree.KindConsumer: ptrace.SpanKindConsumer,
}

var statusCodes = map[string]ptrace.StatusCode{
	spantree.StatusOK: ptrace.StatusCodeOk, spantree.StatusError: ptrace.StatusCodeError,
}

// putAll adds attributes in the order of their keys, so that equal traces give
// equal files.
func putAll(to pcommon.Map, from map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(from)) {
		putValue(to, key, from[key])
	}
}

func putValue(to pcommon.Map, key string, value any) {
	switch v := value.(type) {
	case bool:
		to.PutBool(key, v)
	case int64:
		to.PutInt(key, v)
	case float64:
		to.PutDouble(key, v)
	case []byte:
		to.PutEmptyBytes(key).FromRaw(v)
	default:
		to.PutStr(key, spantree.FormatValue(v))
	}
}

// stringTag gives the first of the tags that is there.
func stringTag(tags model.KeyValues, keys ...string) string {
	for _, key := range keys {
		if tag, found := tags.FindByKey(key); found {
			return tag.VStr
		}
	}
	return ""
}

// The ids were formatted by this package, so that they parse.
func traceIDBytes(id string) (bytes pcommon.TraceID) {
	parsed, _ := model.TraceIDFromString(id)
	binary.BigEndian.PutUint64(bytes[:8], parsed.High)
	binary.BigEndian.PutUint64(bytes[8:], parsed.Low)
	return bytes
}

func spanIDBytes(id string) (bytes pcommon.SpanID) {
	parsed, _ := model.SpanIDFromString(strings.TrimSpace(id))
	binary.BigEndian.PutUint64(bytes[:], uint64(parsed))
	return bytes
}
