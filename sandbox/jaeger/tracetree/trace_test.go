package tracetree

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jaegertracing/jaeger-idl/model/v1"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
)

// fullSpan uses all fields of a span that Jaeger stores.
func fullSpan() model.Span {
	s := jaegertest.Span(0xb, 0xa, "update Head",
		model.String("span.kind", "producer"), model.Bool("error", true), model.String("otel.status_code", "ERROR"),
		model.String("otel.status_description", "conflict"), model.String("otel.scope.name", "tracing"),
		model.String("otel.scope.version", "v1"), model.String("w3c.tracestate", "a=b"), model.String("internal.span.format", "otlp"),
		model.String("text", "t"), model.Bool("flag", true), model.Int64("number", 7), model.Float64("ratio", 0.5), model.Binary("raw", []byte{1}),
	)
	s.References = append(s.References,
		model.NewFollowsFromRef(model.NewTraceID(0, 5), model.NewSpanID(6)),
		model.NewFollowsFromRef(jaegertest.Trace, model.NewSpanID(7)),
		model.NewChildOfRef(jaegertest.Trace, model.NewSpanID(8)),
	)
	s.Logs = []model.Log{{Timestamp: time.Unix(1001, 0).UTC(), Fields: []model.KeyValue{model.String("event", "Ready"), model.String("reason", "x")}}}
	return s
}

func TestSpans(t *testing.T) {
	got := traceOf(fullSpan()).Spans()
	start := time.Unix(1000, 11_000).UTC()
	want := []spantree.Span{{
		TraceID: jaegertest.TraceID, SpanID: "000000000000000b", ParentSpanID: "000000000000000a",
		Name: "update Head", Kind: spantree.KindProducer, Service: "demo", Start: start, End: start.Add(time.Millisecond),
		Status:     spantree.Status{Code: spantree.StatusError, Message: "conflict"},
		Attributes: map[string]any{"text": "t", "flag": true, "number": int64(7), "ratio": 0.5, "raw": []byte{1}},
		Links: []spantree.Link{
			{TraceID: "00000000000000000000000000000005", SpanID: "0000000000000006"},
			{TraceID: jaegertest.TraceID, SpanID: "0000000000000007"},
			{TraceID: jaegertest.TraceID, SpanID: "0000000000000008"},
		},
		Events: []spantree.Event{{Name: "Ready", Time: time.Unix(1001, 0).UTC(), Attributes: map[string]any{"reason": "x"}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

func TestSpanStatusAndKind(t *testing.T) {
	tests := map[string]struct {
		tags       []model.KeyValue
		kind, code string
	}{
		"nothing": {nil, "INTERNAL", "Unset"},
		"ok":      {[]model.KeyValue{model.String("otel.status_code", "OK"), model.String("span.kind", "server")}, "SERVER", "Ok"},
		"error":   {[]model.KeyValue{model.Bool("error", true), model.String("span.kind", "client")}, "CLIENT", "Error"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := traceOf(jaegertest.Span(1, 0, "a", test.tags...)).Spans()[0]
			if s.Kind != test.kind || s.Code() != test.code || len(s.Attributes) != 0 {
				t.Errorf("kind %s, status %s, attributes %v; want %s, %s and none", s.Kind, s.Code(), s.Attributes, test.kind, test.code)
			}
		})
	}
}

// The collector's own decoder reads the JSON.
func TestJSON(t *testing.T) {
	root := jaegertest.Span(0xa, 0, "root")
	noProcess := jaegertest.Span(0xc, 0xa, "bare")
	noProcess.Process = nil
	trace := traceOf(root, fullSpan(), noProcess)
	data, err := trace.JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := trace.JSON()
	if err != nil || string(again) != string(data) {
		t.Errorf("second call of JSON returned other bytes, error %v", err)
	}
	traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces(data)
	if err != nil {
		t.Fatal(err)
	}
	if traces.SpanCount() != 3 || traces.ResourceSpans().Len() != 2 {
		t.Fatalf("%d spans of %d resources, want 3 of 2", traces.SpanCount(), traces.ResourceSpans().Len())
	}
	resource := traces.ResourceSpans().At(0)
	wantResource := map[string]any{"service.name": "demo", "k8s.pod.name": "pod-0"}
	if diff := cmp.Diff(wantResource, resource.Resource().Attributes().AsRaw()); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
	if resource.ScopeSpans().Len() != 2 || resource.ScopeSpans().At(1).Scope().Name() != "tracing" {
		t.Fatalf("%d scopes, want one without a name, and tracing", resource.ScopeSpans().Len())
	}
	span := resource.ScopeSpans().At(1).Spans().At(0)
	if span.TraceID().String() != jaegertest.TraceID || span.ParentSpanID().String() != "000000000000000a" || span.Kind() != ptrace.SpanKindProducer ||
		span.Status().Code() != ptrace.StatusCodeError || span.Status().Message() != "conflict" || span.TraceState().AsRaw() != "a=b" {
		t.Errorf("span is %s of %s, %s, %s %q, %s", span.ParentSpanID(), span.TraceID(), span.Kind(), span.Status().Code(), span.Status().Message(), span.TraceState().AsRaw())
	}
	if span.Links().Len() != 3 || span.Events().Len() != 1 || span.Events().At(0).Name() != "Ready" {
		t.Errorf("%d links and %d events, want 3 and 1", span.Links().Len(), span.Events().Len())
	}
	wantAttributes := map[string]any{"text": "t", "flag": true, "number": int64(7), "ratio": 0.5, "raw": []byte{1}}
	if diff := cmp.Diff(wantAttributes, span.Attributes().AsRaw()); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if !resource.ScopeSpans().At(0).Spans().At(0).ParentSpanID().IsEmpty() {
		t.Error("the root has a parent")
	}
}

func TestTraceIDOf(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceID, spanID, err := TraceIDOf(map[string]string{"other": "x", TraceparentAnnotation: good})
	if traceID != "0af7651916cd43dd8448eb211c80319c" || spanID != "b7ad6b7169203331" || err != nil {
		t.Errorf("trace %s, span %s, %v", traceID, spanID, err)
	}
	for _, bad := range []map[string]string{nil, {TraceparentAnnotation: ""}, {TraceparentAnnotation: "00-xyz"},
		{TraceparentAnnotation: "00-00000000000000000000000000000000-b7ad6b7169203331-01"}} {
		if traceID, _, err := TraceIDOf(bad); err == nil || traceID != "" {
			t.Errorf("TraceIDOf(%v) = %q, want an error", bad, traceID)
		}
	}
}
