package writes

import (
	"crypto/sha256"
	"slices"
	"strconv"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
)

// assign decides the trace and the span of a write.
func (s *Store) assign(w *Write, v, before *version) {
	context := v.context
	if s.alone {
		context = trace.SpanContext{}
		if s.Applied != nil {
			context = s.Applied(w.Object.UID, w.After, v.context)
		}
	}
	put := context.IsSampled() && (before == nil || !sameSpan(before.context, context)) && !s.isCopy(w, v, context)
	switch cause := w.Cause.Span; {
	case put && w.Verb != VerbRemove:
		w.Traced, w.Span = true, context
		if w.loop != (loop{}) {
			s.instrumented[w.Manager] = true
		}
	case !cause.IsValid():
		w.Span = spanIn(rootTrace(w, before), w)
	case s.instrumented[w.Manager] && w.Manager != "":
		w.Traced, w.Span = true, cause
	default:
		w.Span = spanIn(cause.TraceID(), w)
	}
}

// isCopy reports whether a context was copied from the object that caused the write, or from an owner:
// the Deployment controller copies annotations to ReplicaSets.
func (s *Store) isCopy(w *Write, v *version, context trace.SpanContext) bool {
	return sameSpan(context, w.Cause.Span) || slices.ContainsFunc(v.owners, func(o owner) bool {
		known := s.objects[o.uid]
		return known != nil && sameSpan(context, known.now.context)
	})
}

func sameSpan(a, b trace.SpanContext) bool {
	return a.TraceID() == b.TraceID() && a.SpanID() == b.SpanID()
}

// rootTrace returns the trace of a change without a cause. If the change raised the generation, it
// is the trace that package operator/tracing derives: the first 16 bytes of SHA-256 over
// "{uid}/{generation}". Others have a trace of their own.
func rootTrace(w *Write, before *version) trace.TraceID {
	text := string(w.Object.UID) + "/" + strconv.FormatInt(w.Generation, 10)
	if w.Generation == 0 || before != nil && before.generation == w.Generation {
		text += "@" + strconv.FormatUint(w.After, 10)
	}
	sum := sha256.Sum256([]byte(text))
	return trace.TraceID(sum[:16])
}

// spanIn returns the context of a write's span, which is the same in all observers.
func spanIn(id trace.TraceID, w *Write) trace.SpanContext {
	return SpanOf(id, w.Object.UID, w.Verb+strconv.FormatUint(w.After, 10))
}

// SpanOf returns the context of a span about a part of an object's life: the first eight bytes of
// SHA-256 over "{uid}#{part}".
func SpanOf(id trace.TraceID, uid types.UID, part string) trace.SpanContext {
	sum := sha256.Sum256([]byte(string(uid) + "#" + part))
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: trace.SpanID(sum[:8]), TraceFlags: trace.FlagsSampled, Remote: true})
}
