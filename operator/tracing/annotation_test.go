package tracing

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/propagation"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

func TestInjectAndExtract(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	opts := []Option{WithTracerProvider(tp), WithAnnotationPrefix("example.com/")}
	ctx, span := tp.Tracer("test").Start(t.Context(), "span")

	obj := deployment("owner")
	obj.Generation = 6
	obj.Annotations = map[string]string{"theirs": "stays", "example.com/tracestate": "old=1"}
	before := maps.Clone(obj.Annotations)
	held := obj.Annotations
	InjectContext(ctx, obj, opts...)

	if obj.Annotations["theirs"] != "stays" {
		t.Errorf("annotations %v, want the others kept", obj.Annotations)
	}
	if _, ok := obj.Annotations["example.com/tracestate"]; ok {
		t.Error("the tracestate of the old context is kept, want it removed")
	}
	if !maps.Equal(held, before) {
		t.Error("the caller's map was changed")
	}
	want := "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"
	if got := obj.Annotations["example.com/traceparent"]; got != want {
		t.Errorf("traceparent %q, want %q", got, want)
	}
	if got := obj.Annotations["example.com/origin"]; !strings.HasPrefix(got, span.SpanContext().SpanID().String()+"-6-") {
		t.Errorf("origin %q, want the prefix of the span's id and generation 6", got)
	}

	got, ok := ExtractContext(t.Context(), obj, opts...)
	if !ok || !got.Equal(span.SpanContext().WithRemote(true)) {
		t.Errorf("extracted %v, %t, want the injected context, remote", got, ok)
	}
	if _, ok := ExtractContext(t.Context(), obj, WithTracerProvider(tp)); ok {
		t.Error("extracted a context from under another prefix")
	}
}

// TestInjectWithoutCarrierDoesNothing: a propagator that writes nothing leaves no origin either.
func TestInjectWithoutCarrierDoesNothing(t *testing.T) {
	for name, p := range map[string]propagation.TextMapPropagator{
		"none": propagation.NewCompositeTextMapPropagator(), "only baggage": propagation.Baggage{},
	} {
		tp := tracingtest.NewTracerProvider()
		ctx, span := tp.Tracer("test").Start(t.Context(), "span")
		obj := configMap("cm")
		InjectContext(ctx, obj, WithTracerProvider(tp), WithPropagators(p))
		span.End()
		if len(obj.Annotations) > 0 {
			t.Errorf("%s: annotations %v, want none", name, obj.Annotations)
		}
	}
}

func TestInjectWithoutSpanDoesNothing(t *testing.T) {
	obj := deployment("owner")
	InjectContext(t.Context(), obj, WithTracerProvider(tracingtest.NewTracerProvider()))
	if obj.Annotations != nil {
		t.Errorf("annotations %v without a span, want none", obj.Annotations)
	}
}

func TestExtractIgnoresInvalid(t *testing.T) {
	valid := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for name, tc := range map[string]struct {
		value string
		ok    bool
		lines int
	}{
		"valid":             {valid, true, 0},
		"none":              {"", false, 0},
		"garbage":           {"garbage", false, 1},
		"zero trace id":     {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false, 1},
		"zero span id":      {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false, 1},
		"forbidden version": {"ff" + valid[2:], false, 1},
		"upper case":        {strings.ToUpper(valid), false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			obj := deployment("owner")
			obj.Annotations = map[string]string{parentKey: tc.value}
			var logged logLines
			ctx := log.IntoContext(t.Context(), logged.logger())
			sc, ok := ExtractContext(ctx, obj, WithTracerProvider(tracingtest.NewTracerProvider()))
			if ok != tc.ok || sc.IsValid() != tc.ok {
				t.Errorf("got %v, %t", sc, ok)
			}
			if len(logged.lines) != tc.lines {
				t.Errorf("logged %q, want %d lines", logged.lines, tc.lines)
			}
			for _, line := range logged.lines {
				if !strings.Contains(line, `"level"=1`) {
					t.Errorf("logged %s, want it at V(1)", line)
				}
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	sc := sampledContext(1)
	start := time.Unix(12, 345)
	want := origin{spanID: sc.SpanID(), generation: 7, start: start}
	got, ok := parseOrigin(want.String())
	if !ok || got != want {
		t.Fatalf("parsed %+v, %t of %s, want %+v", got, ok, want, want)
	}
	for _, impossible := range []origin{{sc.SpanID(), -1, start}, {sc.SpanID(), 7, time.Unix(-1, 0)}} {
		if _, ok := parseOrigin(impossible.String()); !ok {
			t.Errorf("String() = %s, which parseOrigin rejects", impossible)
		}
	}
	id := sc.SpanID().String()
	for _, bad := range []string{
		"", id, id + "-1", id + "-1-2-3", id + "--1-5", id + "-x-5", id + "-1-x", "0000000000000000-1-2", "zz-1-2",
		id + "-99999999999999999999-1", id + "-1-99999999999999999999",
	} {
		if got, ok := parseOrigin(bad); ok {
			t.Errorf("parseOrigin(%q) = %+v, want an error", bad, got)
		}
	}
}

func TestContextBelongsToGeneration(t *testing.T) {
	c := newConfig(nil)
	sc := sampledContext(1)
	for name, tc := range map[string]struct {
		origin     string
		generation int64
		want       bool
	}{
		"created":                  {origin{sc.SpanID(), 0, time.Now()}.String(), 1, true},
		"updated":                  {origin{sc.SpanID(), 4, time.Now()}.String(), 5, true},
		"updated since":            {origin{sc.SpanID(), 4, time.Now()}.String(), 6, false},
		"not yet updated":          {origin{sc.SpanID(), 4, time.Now()}.String(), 4, false},
		"kind without generations": {origin{sc.SpanID(), 0, time.Now()}.String(), 0, true},
		"of another span":          {origin{sampledContext(2).SpanID(), 0, time.Now()}.String(), 1, false},
		"no origin":                {"", 1, false},
		"malformed origin":         {"x-y-z", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			values := c.values(sc, 0, time.Now())
			values[originKey] = tc.origin
			stored, ok := c.extractFrom(values)
			if !ok {
				t.Fatal("extractFrom() = false, want a valid context")
			}
			if got := stored.belongsTo(tc.generation); got != tc.want {
				t.Errorf("belongs to generation %d: %t, want %t", tc.generation, got, tc.want)
			}
		})
	}
}

func TestCarrierKeys(t *testing.T) {
	c := AnnotationCarrier{Annotations: map[string]string{"p/b": "2", "p/a": "1", "q/c": "3"}, Prefix: "p/"}
	if diff := cmp.Diff([]string{"a", "b"}, c.Keys()); diff != "" {
		t.Errorf("keys differ (-want +got):\n%s", diff)
	}
}

func TestPropagatorsDecideTheKeys(t *testing.T) {
	c := newConfig([]Option{WithPropagators(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))})
	for _, key := range []string{parentKey, stateKey, "tracing.k8s.io/baggage", originKey} {
		if !slices.Contains(c.keys.all, key) {
			t.Errorf("%s is not among the keys %v", key, c.keys.all)
		}
	}
}

// FuzzExtract: for any annotations, extracting does not panic and returns no invalid context. The
// result survives a round trip.
func FuzzExtract(f *testing.F) {
	f.Add("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1", "b7ad6b7169203331-0-1")
	f.Add("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-future", "", "")
	f.Add("", "a=1", "x")
	f.Add("00-", strings.Repeat("a=1,", 40), "b7ad6b7169203331-9223372036854775807-9223372036854775807")
	f.Fuzz(func(t *testing.T, traceparent, tracestate, originText string) {
		c := newConfig(nil)
		stored, ok := c.extractFrom(map[string]string{parentKey: traceparent, stateKey: tracestate, originKey: originText})
		if ok != stored.sc.IsValid() {
			t.Fatalf("ok is %t for %v", ok, stored.sc)
		}
		if !ok {
			if stored.hasOrigin {
				t.Fatal("an origin without a context")
			}
			return
		}
		if stored.hasOrigin && stored.origin.spanID != stored.sc.SpanID() {
			t.Fatal("accepted the origin of another span")
		}
		again, ok := c.extractFrom(c.values(stored.sc, stored.origin.generation, stored.origin.start))
		if !ok || !again.sc.Equal(stored.sc) {
			t.Fatalf("%v became %v, %t", stored.sc, again.sc, ok)
		}
	})
}
