package observation

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// wrote chooses the trace: the last one that starts with a change of the target, or the first one
// in which a controller changes what it is to be.
func (s *Session) wrote(w *writes.Write) {
	s.mu.Lock()
	defer s.mu.Unlock()
	named := s.target
	named.UID = w.Object.UID
	isTarget := (named == w.Object || s.target.Kind == "") && !ownsOnly(w)
	if isTarget && (w.ByUser() || s.target.Kind != "" && s.traceID == "" && isDesired(w)) {
		s.target, s.traceID = w.Object, w.Span.TraceID().String()
		s.target.UID = ""
	}
	if w.Span.TraceID().String() == s.traceID {
		s.grew = time.Now()
	}
}

// ownsOnly reports whether an apply of the session only made its field manager an owner of fields,
// which have the values of the manifest already.
func ownsOnly(w *writes.Write) bool {
	return w.Manager == Manager && w.Verb == "apply" && len(w.Fields) == 0
}

// isDesired reports whether a write changed the desired state of an object.
func isDesired(w *writes.Write) bool {
	return w.Verb == "create" || w.Verb == writes.VerbDelete || w.Verb == writes.VerbRemove ||
		slices.ContainsFunc(w.Fields, func(field string) bool { return strings.HasPrefix(field, "spec") })
}

// export keeps the spans of the chosen trace, and sends the ones that were not sent. After an
// error it is called again.
func (s *Session) export(ctx context.Context, all ptrace.Traces) error {
	s.mu.Lock()
	if s.spans.SpanCount() < maxSpans {
		all.ResourceSpans().MoveAndAppendTo(s.spans.ResourceSpans())
	}
	id := s.traceID
	if id != "" {
		removeSpans(s.spans, func(span ptrace.Span) bool { return span.TraceID().String() != id })
	}
	chosen := ptrace.NewTraces()
	s.spans.CopyTo(chosen)
	s.mu.Unlock()
	if s.options.Sender == nil || id == "" {
		return nil
	}
	removeSpans(chosen, func(span ptrace.Span) bool { return s.sent[span.SpanID()] })
	rejected, err := s.options.Sender.SendSpans(ctx, chosen)
	s.mu.Lock()
	defer s.mu.Unlock()
	if rejected != nil {
		s.rejected = rejected
	}
	if s.unsent = err; err == nil {
		removeSpans(chosen, func(span ptrace.Span) bool { s.sent[span.SpanID()] = true; return false })
	}
	return err
}

func removeSpans(all ptrace.Traces, remove func(ptrace.Span) bool) {
	for _, resource := range all.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			scope.Spans().RemoveIf(remove)
		}
	}
}

// trace returns the spans of the chosen trace so far.
func (s *Session) trace() tracetree.Trace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.traceLocked()
}

func (s *Session) traceLocked() tracetree.Trace {
	copied := ptrace.NewTraces()
	s.spans.CopyTo(copied)
	s.tracer.Traces().ResourceSpans().MoveAndAppendTo(copied.ResourceSpans())
	for _, found := range tracetree.FromOTLP(copied) {
		if found.ID == s.traceID {
			return found
		}
	}
	return tracetree.Trace{}
}
