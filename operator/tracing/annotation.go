package tracing

import (
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Keys of the annotations, to be prefixed ("tracing.k8s.io/traceparent").
const (
	// TraceparentKey holds the W3C traceparent: trace id, span id and flags.
	TraceparentKey = "traceparent"
	// TracestateKey holds the W3C tracestate. It is absent where there is none.
	TracestateKey = "tracestate"
	// OriginKey says to which generation the context belongs and when the change began. Its value is
	// "{span id}-{generation before the write}-{start in Unix nanoseconds}".
	OriginKey = "origin"
)

// AnnotationCarrier lets a propagator read and write annotations: each of its keys gets Prefix. Values are
// handed over as they are; [InjectContext] and [ExtractContext] do more than a propagator with a carrier.
// It is not safe for concurrent use. Without a map, Get and Keys find nothing, and Set does nothing.
type AnnotationCarrier struct {
	// Annotations is the map that is read and written.
	Annotations map[string]string
	// Prefix comes before each key, the slash included. Empty means none.
	Prefix string
}

var _ propagation.TextMapCarrier = AnnotationCarrier{}

// Get returns the value of a propagator's key, "" where there is none.
func (c AnnotationCarrier) Get(key string) string { return c.Annotations[c.Prefix+key] }

// Set stores the value of a propagator's key.
func (c AnnotationCarrier) Set(key, value string) {
	if c.Annotations != nil {
		c.Annotations[c.Prefix+key] = value
	}
}

// Keys lists, sorted and without the prefix, the keys that have it.
func (c AnnotationCarrier) Keys() []string {
	var keys []string
	for k := range c.Annotations {
		if rest, ok := strings.CutPrefix(k, c.Prefix); ok {
			keys = append(keys, rest)
		}
	}
	slices.Sort(keys)
	return keys
}

// InjectContext writes the span context of ctx onto the object's annotations, together with its origin:
// the object's present generation and time. Other annotations stay. It does nothing when ctx has no
// valid span context, obj is nil or a nil pointer, or tracing is off; and takes an older context away where
// the annotations would become more than the API server takes, 256 KiB. The caller must be the only user of
// obj meanwhile; the map that obj has is not written to.
func InjectContext(ctx context.Context, obj client.Object, opts ...Option) {
	if switchedOff(opts) || isNil(obj) {
		return
	}
	c := newConfig(opts)
	values := c.values(trace.SpanContextFromContext(ctx), obj.GetGeneration(), c.now())
	if values != nil {
		obj.SetAnnotations(c.keys.put(obj.GetAnnotations(), values))
	}
}

// ExtractContext reads the span context, marked as remote, from the object's annotations. It is false
// when there is none, obj is nil or a nil pointer, or tracing is off. An invalid one, by the rules of W3C
// Trace Context level 2, is logged at V(1) to the logger of ctx and otherwise treated as if it were not
// there. A tracestate that is invalid is left out, and one without a valid traceparent is nothing. It does
// not change obj, and is safe for concurrent use where nobody else does.
func ExtractContext(ctx context.Context, obj client.Object, opts ...Option) (trace.SpanContext, bool) {
	if switchedOff(opts) || isNil(obj) {
		return trace.SpanContext{}, false
	}
	stored, ok := newConfig(opts).extract(ctx, obj, levelReconcile)
	return stored.sc, ok
}

// storedContext is what the annotations of an object say.
type storedContext struct {
	sc     trace.SpanContext
	span   trace.Span // that stands for sc in a context, as the propagator made it
	origin origin
	// hasOrigin is false where there is no origin or it was written with another context.
	hasOrigin bool
}

// belongsTo reports whether the context was written for this generation of the object.
func (s storedContext) belongsTo(generation int64) bool {
	if !s.hasOrigin {
		return false
	}
	if generation == 0 { // the kind counts no generations
		return s.origin.generation == 0
	}
	return generation == s.origin.generation+1
}

// others gives a copy of annotations without those that belong to a context, with room for those.
func (k annotationKeys) others(annotations map[string]string) map[string]string {
	out := make(map[string]string, len(annotations)+len(k.all))
	maps.Copy(out, annotations)
	for _, key := range k.all {
		delete(out, key)
	}
	return out
}

// put writes the span context of ctx, which must be valid, onto annotations, with its origin: the change began at start, when
// the object had the given generation. None of the context's keys may be there yet.
func (c *config) put(ctx context.Context, annotations map[string]string, generation int64, start time.Time) {
	carrier := c.keys.carrier(annotations)
	defer carrier.release()
	c.propagators.Inject(ctx, carrier)
	if !c.hasContext(annotations) {
		return // the propagator carries none, and an origin of nothing says nothing
	}
	sc := trace.SpanContextFromContext(ctx)
	annotations[c.keys.origin] = origin{spanID: sc.SpanID(), generation: generation, start: start}.String()
}

// values gives the annotations for a context whose change began at start, when the object had the
// given generation. They are nil for an invalid context.
func (c *config) values(sc trace.SpanContext, generation int64, start time.Time) map[string]string {
	if !sc.IsValid() {
		return nil
	}
	out := make(map[string]string, len(c.keys.all))
	ctx := trace.ContextWithSpanContext(context.Background(), sc)
	c.put(ctx, out, generation, start)
	return out
}

// Levels at which an invalid context is logged: once for the request that brings it, where somebody can be told, but not in
// every reconcile of an object that has it.
const (
	levelAdmission = 0
	levelReconcile = 1
)

// extract reads the context of an object. An invalid one is logged at a level.
func (c *config) extract(ctx context.Context, obj metav1.Object, level int) (storedContext, bool) {
	annotations := obj.GetAnnotations()
	if !c.hasContext(annotations) {
		return storedContext{}, false
	}
	stored, ok := c.extractFrom(annotations)
	if !ok {
		invalid := c.keys.pick(annotations)
		for key, value := range invalid {
			invalid[key] = loggable(value)
		}
		log.FromContext(ctx).V(level).Info("Ignoring an invalid trace context",
			"namespace", loggable(obj.GetNamespace()), "name", loggable(obj.GetName()), "annotations", invalid)
	}
	return stored, ok
}

// loggable cuts a value that a user chose, and replaces what is not printable: a webhook sees objects
// before anybody has validated them, and not every log escapes.
func loggable(value string) string {
	rest := ""
	if len(value) > maxLogged {
		value, rest = value[:maxLogged], "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, value) + rest
}

// hasContext is whether any of the propagator's keys is there, valid or not.
func (c *config) hasContext(annotations map[string]string) bool {
	for _, key := range c.keys.all {
		if key != c.keys.origin && annotations[key] != "" {
			return true
		}
	}
	return false
}

func (c *config) extractFrom(annotations map[string]string) (storedContext, bool) {
	carrier := c.keys.carrier(annotations)
	defer carrier.release()
	ctx := c.propagators.Extract(context.Background(), carrier)
	s := storedContext{span: trace.SpanFromContext(ctx)}
	if s.sc = s.span.SpanContext(); !s.sc.IsValid() {
		return storedContext{}, false
	}
	s.origin, s.hasOrigin = parseOrigin(annotations[c.keys.origin])
	s.hasOrigin = s.hasOrigin && s.origin.spanID == s.sc.SpanID()
	return s, true
}

// origin ties a context to a generation of its object.
type origin struct {
	spanID     trace.SpanID
	generation int64
	start      time.Time
}

// String gives what parseOrigin reads. What cannot be, as a time before 1970, becomes zero.
func (o origin) String() string {
	b := make([]byte, 0, 64) // enough for any, and for the stack
	b = hex.AppendEncode(b, o.spanID[:])
	b = strconv.AppendInt(append(b, '-'), max(o.generation, 0), 10)
	b = strconv.AppendInt(append(b, '-'), max(o.start.UnixNano(), 0), 10)
	return string(b)
}

func parseOrigin(s string) (origin, bool) {
	idPart, rest, _ := strings.Cut(s, "-")
	generationPart, startPart, _ := strings.Cut(rest, "-")
	id, err := trace.SpanIDFromHex(idPart)
	if err != nil {
		return origin{}, false
	}
	generation, err := strconv.ParseUint(generationPart, 10, 63)
	if err != nil {
		return origin{}, false
	}
	ns, err := strconv.ParseUint(startPart, 10, 63)
	if err != nil {
		return origin{}, false
	}
	return origin{spanID: id, generation: int64(generation), start: time.Unix(0, int64(ns))}, true
}
