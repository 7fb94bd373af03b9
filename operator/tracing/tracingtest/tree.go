package tracingtest

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// Spantree returns the recorded spans as spans of package spantree, with the name of a service.
func (p *TracerProvider) Spantree(service string) []spantree.Span {
	spans := p.Spans()
	out := make([]spantree.Span, 0, len(spans))
	for _, s := range spans {
		out = append(out, s.Spantree(service))
	}
	return out
}

// Spantree returns the span as a span of package spantree, with the name of a service.
func (s Span) Spantree(service string) spantree.Span {
	out := spantree.Span{
		TraceID:    s.Context.TraceID().String(),
		SpanID:     s.Context.SpanID().String(),
		Name:       s.Name,
		Kind:       kindName(s.Kind),
		Service:    service,
		Start:      s.Start,
		End:        s.End,
		Status:     spantree.Status{Code: s.StatusCode.String(), Message: s.StatusMessage},
		Attributes: attributeMap(s.Attributes),
	}
	if s.Parent.SpanID().IsValid() {
		out.ParentSpanID = s.Parent.SpanID().String()
	}
	for _, l := range s.Links {
		out.Links = append(out.Links, spantree.Link{
			TraceID:    l.SpanContext.TraceID().String(),
			SpanID:     l.SpanContext.SpanID().String(),
			Attributes: attributeMap(l.Attributes),
		})
	}
	for _, e := range s.Events {
		out.Events = append(out.Events, spantree.Event{Name: e.Name, Time: e.Time, Attributes: attributeMap(e.Attributes)})
	}
	return out
}

func kindName(k trace.SpanKind) string {
	return strings.ToUpper(k.String())
}

func attributeMap(kv []attribute.KeyValue) map[string]any {
	if len(kv) == 0 {
		return nil
	}
	out := make(map[string]any, len(kv))
	for _, a := range kv {
		out[string(a.Key)] = a.Value.AsInterface()
	}
	return out
}
