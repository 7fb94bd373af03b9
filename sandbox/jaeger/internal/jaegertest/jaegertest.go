// Package jaegertest has spans and files for the tests of package jaeger and its packages.
package jaegertest

import (
	"os"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
)

// ShopID is the id of the trace in testdata/shop.otlp.json, which uses all OTLP fields of a span.
const ShopID = "5b8efff798038103d269b633813fc60c"

// Trace is the id of the trace of the spans that Span returns.
var Trace = model.NewTraceID(0x0123456789abcdef, 0x00000000000000aa)

// TraceID is the text of Trace.
const TraceID = "0123456789abcdef00000000000000aa"

// Span returns a span of Trace; parent 0 means none.
func Span(id, parent uint64, name string, tags ...model.KeyValue) model.Span {
	s := model.Span{
		TraceID: Trace, SpanID: model.NewSpanID(id), OperationName: name, Tags: tags,
		StartTime: time.Unix(1000, int64(id)*1000).UTC(), Duration: time.Millisecond,
		Process: &model.Process{ServiceName: "demo", Tags: []model.KeyValue{model.String("k8s.pod.name", "pod-0")}},
	}
	if parent != 0 {
		s.References = []model.SpanRef{model.NewChildOfRef(Trace, model.NewSpanID(parent))}
	}
	return s
}

// ReadFile returns the content of a file. It ends the test if it fails.
func ReadFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
