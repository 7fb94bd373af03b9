package observe

import (
	"testing"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
)

// The caller has the span of a write that it made itself. Reactions to it are children of that span,
// also for an observer that ignores the contexts on objects.
func TestApplied(t *testing.T) {
	t.Parallel()
	own := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	s := newStream(t)
	s.observer = New(Options{
		Alone: true, Wrote: s.observer.options.Wrote, Export: s.observer.options.Export,
		Applied: func(_ types.UID, revision uint64, _ trace.SpanContext) trace.SpanContext {
			if revision == 1 {
				return own
			}
			return trace.SpanContext{}
		},
	})
	s.play(`
  0.0 1 ADDED Head h kubectl
 10.0 2 ADDED ChildA a operator owner=Head/h
 20.0 3 MODIFIED Head h kubectl-edit spec.a=b generation=+
`)
	s.end()
	if len(s.spans) != 2 || len(s.writes) != 3 {
		t.Fatalf("%d spans of %d writes, want none of the caller's own write", len(s.spans), len(s.writes))
	}
	if created := s.spans[0]; created.Name() != "create ChildA" || trace.TraceID(created.TraceID()) != own.TraceID() || trace.SpanID(created.ParentSpanID()) != own.SpanID() {
		t.Errorf("span %q in trace %s below %s, want it below the caller's", created.Name(), created.TraceID(), created.ParentSpanID())
	}
	if edited := s.spans[1]; edited.Name() != "update Head" || trace.TraceID(edited.TraceID()) == own.TraceID() {
		t.Errorf("span %q in trace %s, want another change in a trace of its own", edited.Name(), edited.TraceID())
	}
}
