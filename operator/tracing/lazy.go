package tracing

import (
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// lazySpan represents a span in a context, and starts the span only when it is needed. Reading its
// span context starts it, and every tracer does so to start a child. It is safe for concurrent use.
//
// So reconciles that do nothing export nothing, whatever the TracerProvider. Dropping a finished
// span would require a processor in the SDK, and would leave its children without a parent.
type lazySpan struct {
	noop.Span // methods that are added to the interface later

	cfg   *config
	owner spanOwner

	mu       sync.Mutex
	span     trace.Span // nil until it starts
	finished bool
	pending  []attribute.KeyValue
}

var _ trace.Span = (*lazySpan)(nil)

// spanOwner is the operation of a lazySpan.
type spanOwner interface {
	// newSpan starts the span.
	newSpan() trace.Span
}

// ensure returns the span, and starts it if necessary. After finish it starts nothing and may
// return nil.
func (l *lazySpan) ensure() trace.Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.span == nil && !l.finished {
		l.span = l.owner.newSpan()
		if len(l.pending) > 0 {
			l.span.SetAttributes(l.pending...)
		}
		l.pending = nil
	}
	return l.span
}

// started returns the span, or nil if it has not started.
func (l *lazySpan) started() trace.Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.span
}

// finish returns the span, or nil if it has not started. The span cannot start later, because its
// owner would not end it.
func (l *lazySpan) finish() trace.Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished = true
	return l.span
}

// SpanContext starts the span. It returns an empty context if the operation ended without a span.
func (l *lazySpan) SpanContext() trace.SpanContext {
	if s := l.ensure(); s != nil {
		return s.SpanContext()
	}
	return trace.SpanContext{}
}

// IsRecording returns true before the start, because attributes are kept until then.
func (l *lazySpan) IsRecording() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.span == nil {
		return !l.finished
	}
	return l.span.IsRecording()
}

// SetAttributes does not start the span: the wrappers set attributes in every
// reconcile.
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

// keep stores pending attributes, the last value of each key. The caller holds the lock.
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

// End does nothing: the wrapper that created the span ends it.
func (l *lazySpan) End(...trace.SpanEndOption) {}

// TracerProvider returns the provider that the span starts with.
func (l *lazySpan) TracerProvider() trace.TracerProvider { return l.cfg.tracerProvider() }
