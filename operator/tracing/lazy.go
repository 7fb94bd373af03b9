package tracing

import (
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// lazySpan stands in a context for a span that starts only if it turns out to be worth one. Asking for
// its span context, as every tracer does that starts a child, starts it. It is safe for concurrent use.
//
// No-op reconciles export nothing this way, whatever the TracerProvider: dropping a finished span would
// need a processor in the SDK, and would leave its children without a parent.
type lazySpan struct {
	noop.Span // whatever else the interface will get

	cfg   *config
	owner spanOwner

	mu       sync.Mutex
	span     trace.Span // nil until it starts
	finished bool
	pending  []attribute.KeyValue
}

var _ trace.Span = (*lazySpan)(nil)

// spanOwner is the operation that a lazySpan is about.
type spanOwner interface {
	// begin starts the span.
	begin() trace.Span
}

// ensure starts the span if it has not started. After finish it starts nothing and may return nil.
func (l *lazySpan) ensure() trace.Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.span == nil && !l.finished {
		l.span = l.owner.begin()
		if len(l.pending) > 0 {
			l.span.SetAttributes(l.pending...)
		}
		l.pending = nil
	}
	return l.span
}

// started gives the span if it has started, otherwise nil. It never starts it.
func (l *lazySpan) started() trace.Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.span
}

// finish gives the span if it has started, otherwise nil, and keeps it from starting later: nobody
// would end it.
func (l *lazySpan) finish() trace.Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished = true
	return l.span
}

// SpanContext starts the span. It is empty if the operation ended without one.
func (l *lazySpan) SpanContext() trace.SpanContext {
	if s := l.ensure(); s != nil {
		return s.SpanContext()
	}
	return trace.SpanContext{}
}

// IsRecording is true before the start, since whatever is set until then is kept for it.
func (l *lazySpan) IsRecording() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.span == nil {
		return !l.finished
	}
	return l.span.IsRecording()
}

// SetAttributes does not start the span: attributes are set on every reconcile, no-op or not.
func (l *lazySpan) SetAttributes(kv ...attribute.KeyValue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.span != nil:
		l.span.SetAttributes(kv...)
	case !l.finished:
		l.keep(kv)
	}
}

// keep adds to the pending attributes, the last value of each key. The caller holds the lock.
func (l *lazySpan) keep(kv []attribute.KeyValue) {
	for _, a := range kv {
		i := slices.IndexFunc(l.pending, func(old attribute.KeyValue) bool { return old.Key == a.Key })
		switch {
		case i >= 0:
			l.pending[i] = a
		case len(l.pending) < maxAttributes:
			l.pending = append(l.pending, a)
		}
	}
}

// AddEvent starts the span.
func (l *lazySpan) AddEvent(name string, opts ...trace.EventOption) {
	if s := l.ensure(); s != nil {
		s.AddEvent(name, opts...)
	}
}

// AddLink starts the span.
func (l *lazySpan) AddLink(link trace.Link) {
	if s := l.ensure(); s != nil {
		s.AddLink(link)
	}
}

// RecordError starts the span, except for a nil error.
func (l *lazySpan) RecordError(err error, opts ...trace.EventOption) {
	if err == nil {
		return
	}
	if s := l.ensure(); s != nil {
		s.RecordError(err, opts...)
	}
}

// SetStatus starts the span.
func (l *lazySpan) SetStatus(code codes.Code, description string) {
	if s := l.ensure(); s != nil {
		s.SetStatus(code, description)
	}
}

// SetName starts the span.
func (l *lazySpan) SetName(name string) {
	if s := l.ensure(); s != nil {
		s.SetName(name)
	}
}

// End does nothing: the wrapper that made the span ends it.
func (l *lazySpan) End(...trace.SpanEndOption) {}

// TracerProvider gives the provider that the span starts with.
func (l *lazySpan) TracerProvider() trace.TracerProvider { return l.cfg.tracerProvider() }
