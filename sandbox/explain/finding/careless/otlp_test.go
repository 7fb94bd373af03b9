package careless

import (
	"encoding/hex"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

var kinds = map[string]ptrace.SpanKind{
	spantree.KindInternal: ptrace.SpanKindInternal, spantree.KindServer: ptrace.SpanKindServer, spantree.KindClient: ptrace.SpanKindClient,
	spantree.KindProducer: ptrace.SpanKindProducer, spantree.KindConsumer: ptrace.SpanKindConsumer,
}

// otlp returns spans as OTLP JSON.
func otlp(t *testing.T, spans []spantree.Span) []byte {
	t.Helper()
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", spans[0].Service)
	out := resource.ScopeSpans().AppendEmpty().Spans()
	for _, s := range spans {
		to := out.AppendEmpty()
		to.SetTraceID(id[pcommon.TraceID](t, s.TraceID))
		to.SetSpanID(id[pcommon.SpanID](t, s.SpanID))
		to.SetParentSpanID(id[pcommon.SpanID](t, s.ParentSpanID))
		to.SetName(s.Name)
		to.SetKind(kinds[s.Kind])
		to.SetStartTimestamp(pcommon.NewTimestampFromTime(s.Start))
		to.SetEndTimestamp(pcommon.NewTimestampFromTime(s.End))
		to.Status().SetMessage(s.Status.Message)
		if s.Status.Code == spantree.StatusError {
			to.Status().SetCode(ptrace.StatusCodeError)
		}
		put(t, to.Attributes(), s.Attributes)
		for _, l := range s.Links {
			link := to.Links().AppendEmpty()
			link.SetTraceID(id[pcommon.TraceID](t, l.TraceID))
			link.SetSpanID(id[pcommon.SpanID](t, l.SpanID))
		}
		for _, e := range s.Events {
			event := to.Events().AppendEmpty()
			event.SetName(e.Name)
			event.SetTimestamp(pcommon.NewTimestampFromTime(e.Time))
			put(t, event.Attributes(), e.Attributes)
		}
	}
	data, err := new(ptrace.JSONMarshaler).MarshalTraces(traces)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func put(t *testing.T, to pcommon.Map, attributes map[string]any) {
	t.Helper()
	if err := to.FromRaw(attributes); err != nil {
		t.Fatal(err)
	}
}

func id[ID pcommon.TraceID | pcommon.SpanID](t *testing.T, text string) (out ID) {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		out[i] = data[i]
	}
	return out
}
