package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// waitingSpan is a read, or a write that changed nothing, that has ended and waits for the span of
// its reconcile. If that span never starts, it is not exported.
type waitingSpan struct {
	action     string
	id         objectID
	start, end time.Time
	unchanged  bool // a write
	err        error
}

// replay creates the span as a child of the span in ctx.
func (w *waitingSpan) replay(ctx context.Context, c *config) {
	attributes := w.id.attributes()
	if w.unchanged {
		attributes = append(attributes, WriteUnchangedKey.Bool(true))
	}
	_, span := c.tracer().Start(ctx, c.names.of(w.action, w.id.gvk.Kind),
		trace.WithTimestamp(w.start), kindClient, trace.WithAttributes(attributes...))
	recordError(span, w.err, true)
	span.End(trace.WithTimestamp(w.end))
}

// wait stores a span until the reconcile's span starts.
func (s *session) wait(w waitingSpan) {
	s.mu.Lock()
	started := !s.changeStart.IsZero()
	switch {
	case started:
	case len(s.waiting) < maxWaiting:
		s.waiting = append(s.waiting, w)
	default:
		s.dropped++
	}
	s.mu.Unlock()
	if started { // meanwhile
		w.replay(&s.inside, s.cfg)
	}
}

// hasStarted reports whether the reconcile's span has started.
func (s *session) hasStarted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.changeStart.IsZero()
}

// waitingEvent is an event that waits for the reconcile's span, without starting it.
type waitingEvent struct {
	name       string
	at         time.Time
	attributes []attribute.KeyValue
}

func (e waitingEvent) addTo(span trace.Span) {
	span.AddEvent(e.name, trace.WithTimestamp(e.at), trace.WithAttributes(e.attributes...))
}

// event adds an event to the reconcile's span, as soon as it has started.
func (s *session) event(e waitingEvent) {
	s.mu.Lock()
	started := !s.changeStart.IsZero()
	if !started && len(s.events) < maxWaitingEvents {
		s.events = append(s.events, e)
	}
	s.mu.Unlock()
	if span := s.span.started(); started && span != nil {
		e.addTo(span)
	}
}

// flush creates the waiting spans and events, after the reconcile's span started.
func (s *session) flush(span trace.Span, changeStart time.Time) {
	s.mu.Lock()
	waiting, events, dropped := s.waiting, s.events, s.dropped
	s.changeStart, s.waiting, s.events = changeStart, nil, nil
	s.mu.Unlock()
	for _, e := range events {
		e.addTo(span)
	}
	if len(waiting) == 0 {
		return
	}
	ctx := trace.ContextWithSpan(s.ctx, span)
	for i := range waiting {
		waiting[i].replay(ctx, s.cfg)
	}
	if dropped > 0 {
		span.SetAttributes(ReconcileSpansDroppedKey.Int(dropped))
	}
}
