package tracing

import (
	"context"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// mapOf parses annotations from lines of "key=value". An "@" before a key stands for the prefix.
func mapOf(text string) map[string]string {
	if text == "" {
		return nil
	}
	out := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(line, "=")
		if rest, ok := strings.CutPrefix(key, "@"); ok {
			key = defaultPrefix + rest
		}
		out[key] = value
	}
	return out
}

// FuzzAnnotations: for any annotations, reading and writing a context does not panic, does not
// change other annotations, does not write to the caller's map, and writes only contexts that are
// read back unchanged.
func FuzzAnnotations(f *testing.F) {
	for _, text := range []string{
		"", "=", "theirs=stays", "@traceparent=" + w3cParent, "@traceparent=\n@tracestate=a=1",
		"@traceparent=" + w3cParent + "\n@tracestate=a=1,b=2\n@origin=b7ad6b7169203331-0-1\nx=y",
		"@traceparent=" + w3cParent + "-\n@origin=x\n@else=1", "@=\n@@=\n\xff=\xff", "traceparent=" + w3cParent,
		"theirs=" + strings.Repeat("x", maxAnnotations),
	} {
		f.Add(text, []byte("0123456789abcdef"), []byte("01234567"), byte(1), "a=1,b=2", int64(1), int64(1700000000))
	}
	f.Add("a=b", []byte{}, []byte{}, byte(0xff), "=", int64(1), int64(1))
	f.Add("a=b", []byte{1}, []byte{1}, byte(0xff), "=", int64(-1), int64(1))
	f.Add("a=b", []byte{1}, []byte{1}, byte(0xff), "=", int64(1), int64(-1))
	f.Add("a=b", []byte{15: 1}, []byte{7: 1}, byte(3), strings.Repeat("k=v,", 40), int64(1)<<62, int64(1)<<62)
	tp := tracingtest.NewTracerProvider()
	f.Fuzz(func(t *testing.T, text string, traceID, spanID []byte, flags byte, state string, generation, seconds int64) {
		c := newConfig([]Option{WithTracerProvider(tp)})
		held := mapOf(text)
		obj := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Annotations: held, Generation: generation}}
		before := maps.Clone(held)

		read, ok := ExtractContext(t.Context(), obj, WithTracerProvider(tp))
		if ok != read.IsValid() || ok && !read.IsRemote() {
			t.Fatalf("read %v, %t", read, ok)
		}
		now := time.Unix(seconds, 0)
		given := contextOf(traceID, spanID, flags, state)
		for _, sc := range []trace.SpanContext{given, read} {
			obj.Annotations = held
			ctx := trace.ContextWithSpanContext(t.Context(), sc)
			InjectContext(ctx, obj, WithTracerProvider(tp), optionFunc(func(c *config) { c.now = func() time.Time { return now } }))
			checkInjected(t, c, before, held, obj, sc)
		}
	})
}

// contextOf creates a span context, which may be invalid, from arbitrary bytes.
func contextOf(traceID, spanID []byte, flags byte, state string) trace.SpanContext {
	cfg := trace.SpanContextConfig{TraceFlags: trace.TraceFlags(flags), Remote: true}
	copy(cfg.TraceID[:], traceID)
	copy(cfg.SpanID[:], spanID)
	cfg.TraceState, _ = trace.ParseTraceState(state)
	return trace.NewSpanContext(cfg)
}

func checkInjected(t *testing.T, c *config, before, held map[string]string, obj *appsv1.Deployment, sc trace.SpanContext) {
	t.Helper()
	if !maps.Equal(held, before) {
		t.Fatalf("the caller's map was changed to %q", held)
	}
	if !maps.Equal(c.keys.others(obj.Annotations), c.keys.others(before)) {
		t.Fatalf("other annotations %q, want %q", obj.Annotations, before)
	}
	if !sc.IsValid() {
		if !maps.Equal(obj.Annotations, before) {
			t.Fatalf("without a context, %q became %q", before, obj.Annotations)
		}
		return
	}
	stored, ok := c.extractFrom(obj.Annotations)
	if annotationBytes(c.keys.others(before)) > maxAnnotations-1000 { // there is space for most contexts
		return
	}
	known := sc.WithTraceFlags(sc.TraceFlags() & (trace.FlagsSampled | trace.FlagsRandom)).WithRemote(true)
	if !ok || !stored.sc.Equal(known) {
		if len(sc.TraceState().String()) > 500 && c.keys.pick(obj.Annotations) == nil {
			return // no space
		}
		t.Fatalf("wrote %q, which is %v, want %v", obj.Annotations, stored.sc, known)
	}
	generation := max(obj.Generation, 0)
	if o, ok := parseOrigin(obj.Annotations[originKey]); !ok || !stored.hasOrigin || o.generation != generation || o.spanID != sc.SpanID() {
		t.Fatalf("origin %q of generation %d", obj.Annotations[originKey], obj.Generation)
	}
	for key, value := range c.keys.pick(obj.Annotations) {
		if !utf8.ValidString(value) || value == "" {
			t.Fatalf("wrote %q: %q", key, value)
		}
	}
}

// FuzzOrigin: a parsed origin is written back unchanged, and nothing panics.
func FuzzOrigin(f *testing.F) {
	for _, text := range []string{
		"", "-", "--", "b7ad6b7169203331-0-1", "b7ad6b7169203331-00-01", "b7ad6b7169203331-+1-1", "b7ad6b7169203331--1-1",
		"b7ad6b7169203331-9223372036854775807-9223372036854775807", "b7ad6b7169203331-9223372036854775808-1",
		"0000000000000000-1-1", "B7AD6B7169203331-1-1", "b7ad6b7169203331-1-1-1", "b7ad6b7169203331-1_0-1", "b7ad6b7169203331-١-1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, ok := parseOrigin(text)
		if !ok {
			if o != (origin{}) {
				t.Fatalf("parseOrigin(%q) = %+v, want an error", text, o)
			}
			return
		}
		if !o.spanID.IsValid() || o.generation < 0 || o.start.UnixNano() < 0 {
			t.Fatalf("parseOrigin(%q) = %+v, want valid values", text, o)
		}
		again, ok := parseOrigin(o.String())
		if !ok || again.spanID != o.spanID || again.generation != o.generation || !again.start.Equal(o.start) {
			t.Fatalf("%q became %q", text, o.String())
		}
		// Each value has a single form, except for leading zeros.
		id, generation, _ := strings.Cut(text, "-")
		generation, start, _ := strings.Cut(generation, "-")
		if want := id + "-" + trimmed(generation) + "-" + trimmed(start); want != o.String() {
			t.Fatalf("%q is read as %q", text, o.String())
		}
	})
}

func trimmed(number string) string {
	if number = strings.TrimLeft(number, "0"); number == "" {
		return strconv.Itoa(0)
	}
	return number
}

// FuzzTraceparent: for any context on an object, no admission fails, and the result has the span's
// context or the stored context. Both forms of webhooks agree.
func FuzzTraceparent(f *testing.F) {
	for _, tc := range w3cParents() {
		if len(tc.parent) < 1000 {
			f.Add(tc.parent, tc.state, "b7ad6b7169203331-0-1", false, false)
		}
	}
	for _, tc := range w3cStates() {
		if len(tc.state) < 1000 {
			f.Add(tc.parent, tc.state, "x", true, true)
		}
	}
	f.Fuzz(func(t *testing.T, parent, state, originText string, update, changed bool) {
		obj := submitted(func(d *appsv1.Deployment) {
			d.Annotations[parentKey], d.Annotations[stateKey], d.Annotations[originKey] = parent, state, originText
		})
		var old *appsv1.Deployment
		if update {
			old = submitted(withOrigin(sampledContext(1), 0, submittedAt))
		}
		if changed {
			obj.Spec.Replicas = new(int32(7))
		}
		// A webhook receives objects as JSON, which is UTF-8.
		if err := json.Unmarshal(marshal(t, obj), obj); err != nil {
			t.Fatal(err)
		}
		got := admitCase{old: old, obj: obj, user: "alice"}.run(t)
		if got.err != nil {
			t.Fatal(got.err)
		}
		checkAdmitted(t, got.obj.Annotations, old, got.spans)

		tp := tracingtest.NewTracerProvider()
		req := reviewOf(t, old, obj, "alice", false)
		resp := WrapAdmissionHandler(nil, WithTracerProvider(tp)).Handle(t.Context(), admission.Request{AdmissionRequest: req})
		if err := resp.Complete(admission.Request{}); err != nil || !resp.Allowed {
			t.Fatalf("allowed %t, error %v", resp.Allowed, err)
		}
		annotations := answer{object: applied(t, req.Object.Raw, &resp.AdmissionResponse)}.annotations()
		checkAdmitted(t, annotations, old, tp.Spans())
		if len(tp.Spans()) != len(got.spans) {
			t.Fatalf("spans %v and %v", spanNames(got.spans), spanNames(tp.Spans()))
		}
	})
}

func checkAdmitted(t *testing.T, annotations map[string]string, old *appsv1.Deployment, spans []tracingtest.Span) {
	t.Helper()
	if annotations["theirs"] != "stays" {
		t.Fatalf("annotations %q", annotations)
	}
	if len(spans) == 0 {
		if old == nil || !maps.Equal(annotations, old.Annotations) {
			t.Fatalf("without a span, annotations %q", annotations)
		}
		return
	}
	stored, ok := newConfig(nil).extractFrom(annotations)
	if s := spans[0]; !ok || !stored.hasOrigin || stored.sc.SpanID() != s.Context.SpanID() || len(spans) > 1 {
		t.Fatalf("annotations %q, spans %v", annotations, spanNames(spans))
	}
}

// FuzzHandlersPatch: for any patch of a handler, tracing does not fail and does not change the
// patch's effect.
func FuzzHandlersPatch(f *testing.F) {
	for _, patch := range []string{
		`[]`, `null`, `{}`, `[null]`, `[{}]`, `[{"op":"add","path":"/spec/x","value":1}]`, `[{"op":"test","path":"","value":{}}]`,
		`[{"op":"copy","from":"","path":"/spec/x"}]`, `[{"op":"remove","path":"/metadata"}]`, `[{"op":"replace","path":"","value":null}]`,
		`[{"op":"move","from":"/metadata/annotations","path":"/spec/x"}]`, `[{"op":"add","path":"/metadata/annotations","value":null}]`,
		`[{"op":"add","path":"/metadata/annotations/tracing.k8s.io~1traceparent","value":"x"}]`, `[{"op":"remove","path":"/spec/args/-1"}]`,
	} {
		f.Add([]byte(patch), []byte(`{"metadata":{"annotations":{"a":"b"}},"spec":{"args":["x"]}}`))
		f.Add([]byte(patch), []byte(`{"spec":null}`))
	}
	f.Fuzz(func(t *testing.T, patch, object []byte) {
		tp := tracingtest.NewTracerProvider()
		own := admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{
			Allowed: true, Patch: patch, PatchType: new(admissionv1.PatchTypeJSONPatch),
		}}
		req := admissionv1.AdmissionRequest{Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: object}}
		got := respond(t, own, req, tp)
		if string(got.Patch) == string(patch) && len(got.Patches) == 0 {
			return // no operations were added
		}
		if err := got.Complete(admission.Request{}); err != nil {
			t.Fatal(err)
		}
		without, err := patched(object, &own)
		if err != nil {
			t.Fatalf("a patch that cannot be applied was extended: %v", err)
		}
		if without == nil {
			if without, err = readRaw(object); err != nil {
				t.Fatalf("an object that cannot be read got a context: %v", err)
			}
		}
		with, err := patched(object, &got)
		if err != nil {
			t.Fatalf("%s cannot be applied: %v", got.Patch, err)
		}
		if keys := newConfig(nil).keys; !sameBut(keys, with, without) {
			t.Fatalf("%v became %v", without, with)
		}
	})
}

func respond(t *testing.T, own admission.Response, req admissionv1.AdmissionRequest, tp trace.TracerProvider) admission.Response {
	t.Helper()
	h := admission.HandlerFunc(func(context.Context, admission.Request) admission.Response { return own })
	return WrapAdmissionHandler(h, WithTracerProvider(tp)).Handle(t.Context(), admission.Request{AdmissionRequest: req})
}

// sameBut compares two objects, without their tracing annotations and empty annotations.
func sameBut(keys annotationKeys, a, b jsonObject) bool {
	strip := func(o jsonObject) (string, error) {
		u := &unstructured.Unstructured{Object: o}
		rest := keys.others(u.GetAnnotations())
		if len(rest) == 0 {
			rest = nil
		}
		if _, ok := o["metadata"].(map[string]any); !ok {
			o["metadata"] = map[string]any{}
		}
		u.SetAnnotations(rest)
		data, err := json.Marshal(o)
		return string(data), err
	}
	textA, errA := strip(a)
	textB, errB := strip(b)
	return errA == nil && errB == nil && textA == textB
}
