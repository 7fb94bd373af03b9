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

// Keys of the annotations, without the prefix ("tracing.k8s.io/traceparent" with it).
const (
	// TraceparentKey holds the W3C traceparent: trace id, span id and flags.
	TraceparentKey = "traceparent"
	// TracestateKey holds the W3C tracestate. It is absent if the context has none.
	TracestateKey = "tracestate"
	// OriginKey holds the generation that the context belongs to and the start of the change, as
	// "{span id}-{generation before the write}-{start in Unix nanoseconds}".
	OriginKey = "origin"
)

// AnnotationCarrier lets a propagator read and write annotations. It adds Prefix to each key of the
// propagator and does not change values. [InjectContext] and [ExtractContext] also handle the
// origin, invalid contexts and the size limit. If Annotations is nil, Get returns "", Keys returns
// nothing, and Set does nothing. It is not safe for concurrent use.
type AnnotationCarrier struct {
	// Annotations is the map to read from and write to.
	Annotations map[string]string
	// Prefix is added to each key and includes the slash. By default, keys have no prefix.
	Prefix string
}

var _ propagation.TextMapCarrier = AnnotationCarrier{}

// Get returns the value of a propagator's key, or "" if it is absent.
func (c AnnotationCarrier) Get(key string) string { return c.Annotations[c.Prefix+key] }

// Set stores the value of a propagator's key.
func (c AnnotationCarrier) Set(key, value string) {
	if c.Annotations != nil {
		c.Annotations[c.Prefix+key] = value
	}
}

// Keys returns the sorted keys that have the prefix, without the prefix.
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

// InjectContext writes the span context of ctx to the object's annotations, together with its
// origin: the object's current generation and the current time. It does not change other
// annotations. If the annotations would exceed the API server's limit of 256 KiB, it removes an
// older context instead. It does nothing if ctx has no valid span context, obj is nil or a nil
// pointer, or tracing is off. It replaces the annotations map of obj and does not write to the old
// map. It is not safe for concurrent use with other uses of obj.
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

// ExtractContext reads a remote span context from the object's annotations. It returns false if
// there is none, obj is nil or a nil pointer, or tracing is off. It logs an invalid context, by the
// rules of W3C Trace Context level 2, at V(1) to the logger of ctx, and then returns false. It
// drops an invalid tracestate, and ignores a tracestate without a valid traceparent. It does not
// change obj, and is safe for concurrent use with other readers of obj.
func ExtractContext(ctx context.Context, obj client.Object, opts ...Option) (trace.SpanContext, bool) {
	if switchedOff(opts) || isNil(obj) {
		return trace.SpanContext{}, false
	}
	stored, ok := newConfig(opts).extract(ctx, obj, levelReconcile)
	return stored.sc, ok
}

// storedContext is the context in the annotations of an object.
type storedContext struct {
	sc     trace.SpanContext
	span   trace.Span // carries sc in a context, as the propagator created it
	origin origin
	// hasOrigin is false if there is no origin or the origin was written with another context.
	hasOrigin bool
}

// belongsTo reports whether the context was written for this generation of the object.
func (s storedContext) belongsTo(generation int64) bool {
	if !s.hasOrigin {
		return false
	}
	if generation == 0 { // the kind has no generations
		return s.origin.generation == 0
	}
	return generation == s.origin.generation+1
}

// others returns a copy of the annotations without the context's keys, with capacity to add them.
func (k annotationKeys) others(annotations map[string]string) map[string]string {
	out := make(map[string]string, len(annotations)+len(k.all))
	maps.Copy(out, annotations)
	for _, key := range k.all {
		delete(out, key)
	}
	return out
}

// put writes the span context of ctx, which must be valid, to annotations, together with its
// origin. start is the start of the change, and generation is the object's generation at that time.
// annotations must not contain any of the context's keys.
func (c *config) put(ctx context.Context, annotations map[string]string, generation int64, start time.Time) {
	carrier := c.keys.carrier(annotations)
	defer carrier.release()
	c.propagators.Inject(ctx, carrier)
	if !c.hasContext(annotations) {
		return // the propagator wrote nothing, so an origin is useless
	}
	sc := trace.SpanContextFromContext(ctx)
	annotations[c.keys.origin] = origin{spanID: sc.SpanID(), generation: generation, start: start}.String()
}

// values returns the annotations for a context. start is the start of its change, and generation is
// the object's generation at that time. It returns nil for an invalid context.
func (c *config) values(sc trace.SpanContext, generation int64, start time.Time) map[string]string {
	if !sc.IsValid() {
		return nil
	}
	out := make(map[string]string, len(c.keys.all))
	ctx := trace.ContextWithSpanContext(context.Background(), sc)
	c.put(ctx, out, generation, start)
	return out
}

// Levels at which an invalid context is logged. An admission logs it once, for the request that
// sets it. A reconcile logs it at a higher level, because every reconcile of the object sees it
// again.
const (
	levelAdmission = 0
	levelReconcile = 1
)

// extract reads the context of an object. It logs an invalid context at the given level.
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

// loggable truncates a value that a user chose and replaces non-printable characters. A webhook
// receives objects before validation, and not every log encoder escapes values.
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

// hasContext reports whether any of the propagator's keys is present, valid or not.
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

// String returns the form that parseOrigin reads. Negative values, such as a time before 1970,
// become zero.
func (o origin) String() string {
	b := make([]byte, 0, 64) // enough for any origin, and allocated on the stack
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
