package tracingtest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
)

type attributeKV = attribute.KeyValue

// Span is a recorded span.
type Span struct {
	// Scope is the name of the tracer that started the span.
	Scope string
	// Name is the last name of the span.
	Name string
	// Kind is the span's kind. The default is internal.
	Kind trace.SpanKind
	// Context is the span's own context.
	Context trace.SpanContext
	// Parent is the context that the span was started with. It is invalid for a root.
	Parent trace.SpanContext
	// Links are in the order in which they were added.
	Links []trace.Link
	// Attributes are in the order in which their keys were first set. Each key occurs once.
	Attributes []attribute.KeyValue
	// Events are in the order in which they were added.
	Events []Event
	// StatusCode is Unset, Error or Ok.
	StatusCode codes.Code
	// StatusMessage describes an error.
	StatusMessage string
	// Start and End are the times in the options, or else the times of the calls.
	Start, End time.Time
}

// Event is an event of a span.
type Event struct {
	Name       string
	Time       time.Time
	Attributes []attribute.KeyValue
}

// Attribute returns the value of an attribute, and whether the span has it.
func (s Span) Attribute(key attribute.Key) (attribute.Value, bool) {
	for _, kv := range s.Attributes {
		if kv.Key == key {
			return kv.Value, true
		}
	}
	return attribute.Value{}, false
}

// span is a Span that may not have ended.
type span struct {
	embedded.Span

	provider  *TracerProvider
	recording bool

	mu    sync.Mutex
	ended bool
	data  Span
}

var _ trace.Span = (*span)(nil)

// change calls f unless the span is not recorded or has ended.
func (s *span) change(f func(*Span)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recording && !s.ended {
		f(&s.data)
	}
}

// End implements trace.Span. Later calls do nothing.
func (s *span) End(opts ...trace.SpanEndOption) {
	cfg := trace.NewSpanEndConfig(opts...)
	end := cfg.Timestamp()
	if end.IsZero() {
		end = time.Now()
	}
	s.change(func(d *Span) {
		d.End = end
		s.ended = true
		s.provider.record(*d)
	})
}

// AddEvent implements trace.Span.
func (s *span) AddEvent(name string, opts ...trace.EventOption) {
	cfg := trace.NewEventConfig(opts...)
	s.change(func(d *Span) {
		d.Events = append(d.Events, Event{Name: name, Time: cfg.Timestamp(), Attributes: cfg.Attributes()})
	})
}

// AddLink implements trace.Span.
func (s *span) AddLink(link trace.Link) {
	s.change(func(d *Span) { d.Links = append(d.Links, link) })
}

// IsRecording implements trace.Span.
func (s *span) IsRecording() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recording && !s.ended
}

// RecordError implements trace.Span.
func (s *span) RecordError(err error, opts ...trace.EventOption) {
	if err == nil {
		return
	}
	opts = append(opts, trace.WithAttributes(
		attribute.String("exception.type", fmt.Sprintf("%T", err)),
		attribute.String("exception.message", err.Error()),
	))
	s.AddEvent("exception", opts...)
}

// SpanContext implements trace.Span.
func (s *span) SpanContext() trace.SpanContext { return s.data.Context }

// SetStatus implements trace.Span. Ok is final, and Unset changes nothing.
func (s *span) SetStatus(code codes.Code, message string) {
	s.change(func(d *Span) {
		if code == codes.Unset || d.StatusCode == codes.Ok {
			return
		}
		d.StatusCode, d.StatusMessage = code, ""
		if code == codes.Error {
			d.StatusMessage = message
		}
	})
}

// SetName implements trace.Span.
func (s *span) SetName(name string) {
	s.change(func(d *Span) { d.Name = name })
}

// SetAttributes implements trace.Span.
func (s *span) SetAttributes(kv ...attribute.KeyValue) {
	s.change(func(d *Span) {
		for _, a := range kv {
			i := slices.IndexFunc(d.Attributes, func(old attribute.KeyValue) bool { return old.Key == a.Key })
			if i >= 0 {
				d.Attributes[i] = a
				continue
			}
			d.Attributes = append(d.Attributes, a)
		}
	})
}

// TracerProvider implements trace.Span.
func (s *span) TracerProvider() trace.TracerProvider { return s.provider }
