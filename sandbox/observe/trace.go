package observe

import (
	"crypto/sha256"
	"strconv"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
)

// assign decides the trace and the span of a write.
func (s *store) assign(w *Write, v, before *version) {
	put := v.context.IsSampled() && (before == nil || !sameSpan(before.context, v.context))
	switch cause := w.Cause.Span; {
	case put && w.Verb != verbRemove:
		w.Traced, w.Span = true, v.context
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
	return contextIn(id, spanID(w.Object.UID, w.Verb[:1]+strconv.FormatUint(w.After, 10)))
}

func contextIn(id trace.TraceID, span trace.SpanID) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true})
}

func spanID(uid types.UID, of string) trace.SpanID {
	sum := sha256.Sum256([]byte(string(uid) + "#" + of))
	return trace.SpanID(sum[:8])
}
