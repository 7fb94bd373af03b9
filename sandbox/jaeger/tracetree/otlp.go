package tracetree

import (
	"crypto/sha256"
	"fmt"
	"iter"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// element is a span with its resource and scope. It refers to the traces that contain it.
type element struct {
	resource ptrace.ResourceSpans
	scope    ptrace.ScopeSpans
	span     ptrace.Span
}

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
	index, seen := map[pcommon.TraceID]int{}, map[string]*sameID{}
	for e := range elements(traces) {
		id := e.span.TraceID()
		at, known := index[id]
		if !known {
			at = len(found)
			index[id] = at
			found = append(found, Trace{ID: id.String()})
		}
		key := found[at].ID + e.span.SpanID().String()
		if seen[key] == nil {
			seen[key] = &sameID{first: e}
		} else if seen[key].has(e) {
			continue
		}
		found[at].elements = append(found[at].elements, e)
	}
	return found
}

// sameID has the different spans of one id. A file can have any number of them.
type sameID struct {
	first    element
	contents map[[sha256.Size]byte]bool // nil while there is only the first
}

// has reports whether a span is a duplicate, and adds it.
func (s *sameID) has(e element) bool {
	if s.contents == nil {
		s.contents = map[[sha256.Size]byte]bool{s.first.content(): true}
	}
	content := e.content()
	found := s.contents[content]
	s.contents[content] = true
	return found
}

// content returns the hash of the fields that both query interfaces transmit, so that a trace from
// api_v2 equals its original.
func (e element) content() [sha256.Size]byte {
	span := convert(e)
	for i := range span.Links {
		span.Links[i].Attributes = nil
	}
	return sha256.Sum256(fmt.Appendf(nil, "%#v", span)) // In the order of the keys.
}

// Split returns the trace in OpenTelemetry's protocol, in parts of at most limit bytes. A larger
// span is a part of its own. The resource and the scope count for each span.
func (t Trace) Split(limit int) []ptrace.Traces {
	var parts []ptrace.Traces
	first, size := 0, 0
	for i, e := range t.elements {
		own := len(encode(join([]element{e})))
		if size += own; size > limit && i > first {
			parts = append(parts, join(t.elements[first:i]))
			first, size = i, own
		}
	}
	return append(parts, join(t.elements[first:]))
}

func encode(traces ptrace.Traces) string {
	// Encoding to protobuf never fails.
	data, _ := new(ptrace.ProtoMarshaler).MarshalTraces(traces)
	return string(data)
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

// OTLP returns a copy of the trace in OpenTelemetry's protocol, with equal resources and scopes
// merged. It is complete if the trace is from Jaeger's api_v3 or a file. api_v2 loses the
// attributes of scopes and links and the dropped counts, and replaces arrays and maps with their
// JSON text.
func (t Trace) OTLP() ptrace.Traces { return join(t.elements) }

func join(spans []element) ptrace.Traces {
	traces := ptrace.NewTraces()
	// Encode each resource and scope once, because Jaeger sends one of each for every span.
	keys := map[any]string{}
	key := func(of any, alone func(ptrace.Traces)) string {
		if _, known := keys[of]; !known {
			single := ptrace.NewTraces()
			alone(single)
			keys[of] = encode(single)
		}
		return keys[of]
	}
	resources, scopes := map[string]ptrace.ResourceSpans{}, map[string]ptrace.ScopeSpans{}
	for _, e := range spans {
		resourceKey := key(e.resource, func(in ptrace.Traces) { newResource(in, e) })
		scopeKey := key(e.scope, func(in ptrace.Traces) { newScope(newResource(in, e), e) })
		if _, known := resources[resourceKey]; !known {
			resources[resourceKey] = newResource(traces, e)
		}
		if _, known := scopes[scopeKey]; !known {
			scopes[scopeKey] = newScope(resources[resourceKey], e)
		}
		added := scopes[scopeKey].Spans().AppendEmpty()
		e.span.CopyTo(added)
		added.Attributes().Remove(attributeWarnings)
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
