package jaeger

import (
	"fmt"
	"iter"
	"reflect"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// element is a span with its resource and scope. It refers to the traces that contain it.
type element struct {
	resource ptrace.ResourceSpans
	scope    ptrace.ScopeSpans
	span     ptrace.Span
}

// elements returns all spans, in their order.
func elements(traces ptrace.Traces) iter.Seq[element] {
	return func(yield func(element) bool) {
		for _, resource := range traces.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					if !yield(element{resource, scope, span}) {
						return
					}
				}
			}
		}
	}
}

// FromOTLP splits spans into traces, in the order of their first spans. It drops duplicates, which
// occur if an exporter retries and the storage keeps both spans. Spans are duplicates if all fields
// that api_v2 transmits are equal, not only their ids. The traces refer to the argument, which must
// not change afterwards.
func FromOTLP(traces ptrace.Traces) []Trace {
	if traces == (ptrace.Traces{}) {
		return nil
	}
	var found []Trace
	index := map[pcommon.TraceID]int{}
	bySpan := map[pcommon.TraceID]map[pcommon.SpanID][]element{}
	for e := range elements(traces) {
		id := e.span.TraceID()
		at, known := index[id]
		if !known {
			at = len(found)
			index[id], bySpan[id] = at, map[pcommon.SpanID][]element{}
			found = append(found, Trace{ID: id.String()})
		}
		same := bySpan[id][e.span.SpanID()]
		if slices.ContainsFunc(same, e.equal) {
			continue
		}
		bySpan[id][e.span.SpanID()] = append(same, e)
		found[at].elements = append(found[at].elements, e)
	}
	return found
}

// equal compares the fields that both query interfaces transmit, so that a trace from api_v2 equals
// its original.
func (e element) equal(other element) bool {
	a, b := convert(e), convert(other)
	for _, links := range [][]spantree.Link{a.Links, b.Links} {
		for i := range links {
			links[i].Attributes = nil
		}
	}
	return reflect.DeepEqual(a, b)
}

// encoded returns the encoding of only this span, for its size.
func (e element) encoded() []byte {
	one := ptrace.NewTraces()
	copyTo(newScope(newResource(one, e), e), e.span)
	return encode(one)
}

func encode(traces ptrace.Traces) []byte {
	// Encoding to protobuf never fails.
	data, _ := new(ptrace.ProtoMarshaler).MarshalTraces(traces)
	return data
}

func newResource(in ptrace.Traces, e element) ptrace.ResourceSpans {
	resource := in.ResourceSpans().AppendEmpty()
	e.resource.Resource().CopyTo(resource.Resource())
	resource.SetSchemaUrl(e.resource.SchemaUrl())
	return resource
}

func newScope(in ptrace.ResourceSpans, e element) ptrace.ScopeSpans {
	scope := in.ScopeSpans().AppendEmpty()
	e.scope.Scope().CopyTo(scope.Scope())
	scope.SetSchemaUrl(e.scope.SchemaUrl())
	return scope
}

// copyTo appends a span without the attribute that Jaeger added.
func copyTo(scope ptrace.ScopeSpans, span ptrace.Span) {
	added := scope.Spans().AppendEmpty()
	span.CopyTo(added)
	added.Attributes().Remove(attributeWarnings)
}

// OTLP returns a copy of the trace in OpenTelemetry's protocol, with equal resources and scopes
// merged. It is complete if the trace is from Jaeger's api_v3 or a file. api_v2 loses the
// attributes of scopes and links and the dropped counts, and replaces arrays and maps with their
// JSON text.
func (t Trace) OTLP() ptrace.Traces { return join(t.elements) }

func join(spans []element) ptrace.Traces {
	traces := ptrace.NewTraces()
	// Cache the encodings of resources, because Jaeger sends one for each span.
	resourceKeys, scopeKeys := map[ptrace.ResourceSpans]string{}, map[ptrace.ScopeSpans]string{}
	resources, scopes := map[string]ptrace.ResourceSpans{}, map[string]ptrace.ScopeSpans{}
	for _, e := range spans {
		if _, known := resourceKeys[e.resource]; !known {
			single := ptrace.NewTraces()
			newResource(single, e)
			resourceKeys[e.resource] = string(encode(single))
		}
		if _, known := scopeKeys[e.scope]; !known {
			single := ptrace.NewTraces()
			newScope(newResource(single, e), e)
			scopeKeys[e.scope] = string(encode(single))
		}
		resource, known := resources[resourceKeys[e.resource]]
		if !known {
			resource = newResource(traces, e)
			resources[resourceKeys[e.resource]] = resource
		}
		scope, known := scopes[scopeKeys[e.scope]]
		if !known {
			scope = newScope(resource, e)
			scopes[scopeKeys[e.scope]] = scope
		}
		copyTo(scope, e.span)
	}
	return traces
}

// JSON returns the trace as OTLP JSON in one line, for [ReadOTLP] and other tools that read OTLP
// files. The same trace always results in the same bytes.
func (t Trace) JSON() ([]byte, error) {
	data, err := new(ptrace.JSONMarshaler).MarshalTraces(t.OTLP())
	if err != nil {
		return nil, fmt.Errorf("encoding trace %s as OTLP JSON: %w", t.ID, err)
	}
	return data, nil
}
