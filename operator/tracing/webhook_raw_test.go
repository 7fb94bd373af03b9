package tracing

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestAdmissionForms sends the same requests to each form of the same webhook. Spans and
// annotations must be the same.
func TestAdmissionForms(t *testing.T) {
	last, other := sampledContext(1), sampledContext(5)
	old := func(edit ...func(*appsv1.Deployment)) *appsv1.Deployment {
		return deployment("owner", append([]func(*appsv1.Deployment){func(d *appsv1.Deployment) {
			d.Generation = 4
			d.Annotations = map[string]string{"theirs": "stays"}
		}, withOrigin(last, 3, submittedAt)}, edit...)...)
	}
	kept := maps.Clone(old().Annotations)
	scale := func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(7)) }
	label := func(d *appsv1.Deployment) { d.Labels = map[string]string{"new": "label"} }
	strip := func(d *appsv1.Deployment) { d.Annotations = map[string]string{"theirs": "stays"} }
	none := func(d *appsv1.Deployment) { d.Annotations = nil }
	huge := func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Containers[0].Args = []string{strings.Repeat("x", 2<<20)}
	}
	fresh := func(before string) map[string]string {
		return map[string]string{"theirs": "stays", parentKey: "admit Deployment, sampled true", originKey: "true, before: " + before}
	}
	dry := func(before string) map[string]string {
		return map[string]string{"theirs": "stays", parentKey: "unknown span, sampled false", originKey: "true, before: " + before}
	}
	linked := "link " + last.SpanID().String()
	for name, tc := range map[string]struct {
		old, obj *appsv1.Deployment
		user     string
		dryRun   bool
		inner    inner
		want     map[string]string // annotations; nil means those in the request
		says     []string          // parts of a span; nil for no span
		refused  bool
	}{
		"create":                           {obj: submitted(), want: fresh("0"), says: []string{"server admit Deployment, Unset ", "k8s.namespace.name=ns", "operator.object.name=owner"}},
		"create without annotations":       {obj: submitted(none), want: map[string]string{parentKey: fresh("0")[parentKey], originKey: fresh("0")[originKey]}, says: []string{"admit"}},
		"create with an untrusted context": {obj: submitted(bears(other)), user: "alice", want: fresh("0"), says: []string{"admit", "link " + other.SpanID().String()}},
		"create with a trusted context":    {obj: submitted(withOrigin(other, 0, submittedAt)), user: operatorUser, says: []string{"admit", "parent " + other.SpanID().String()}},
		"create, changed by the inner":     {obj: submitted(), inner: inner{mutate: scale}, want: fresh("0"), says: []string{"admit"}},
		"create, annotated by the inner":   {obj: submitted(none), inner: inner{mutate: strip}, want: fresh("0"), says: []string{"admit"}},
		"create, context by the inner":     {obj: submitted(), inner: inner{mutate: bears(other)}, want: fresh("0"), says: []string{"admit"}},
		"create, huge":                     {obj: submitted(huge), want: fresh("0"), says: []string{"admit"}},
		"create, dry run":                  {obj: submitted(), dryRun: true, want: dry("0")},
		"create, denied":                   {obj: submitted(), inner: inner{refuses: errForbidden}, says: []string{"admit Deployment, Unset, event denied", "operator.object.name=owner"}, refused: true},
		"create, error":                    {obj: submitted(), inner: inner{refuses: errBroken}, says: []string{"admit Deployment, Error ", "error.type=InternalError"}, refused: true},
		"create, panic":                    {obj: submitted(), inner: inner{panics: true}, says: []string{"admit Deployment, Error, event exception", "error.type=panic"}, refused: true},
		"spec":                             {old: old(), obj: old(scale), want: fresh("4"), says: []string{"admit", linked}},
		"spec, dry run":                    {old: old(), obj: old(scale), dryRun: true, want: dry("4")},
		"spec, context removed":            {old: old(), obj: old(scale, strip), want: fresh("4"), says: []string{"admit", linked}},
		"spec, reverted by the inner":      {old: old(), obj: old(scale), inner: inner{mutate: func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(3)) }}, want: kept},
		"spec, by the inner":               {old: old(), obj: old(label), inner: inner{mutate: scale}, want: fresh("4"), says: []string{"admit", linked}},
		"label":                            {old: old(), obj: old(label), want: kept},
		"label, context tampered with":     {old: old(), obj: old(label, bears(other)), want: kept},
		"label, context removed":           {old: old(), obj: old(label, strip)},
		"label, all annotations removed":   {old: old(), obj: old(label, none), want: map[string]string{}},
		"label, origin removed":            {old: old(), obj: old(label, func(d *appsv1.Deployment) { delete(d.Annotations, originKey) })},
		"label, context given first":       {old: old(strip), obj: old(strip, bears(other)), want: map[string]string{"theirs": "stays"}},
		"label, context by the inner":      {old: old(), obj: old(label), inner: inner{mutate: bears(other)}, want: old(bears(other)).Annotations},
		"label, denied":                    {old: old(), obj: old(label), inner: inner{refuses: errForbidden}, says: []string{"admit", "event denied", linked}, refused: true},
		"label, denied in a dry run":       {old: old(), obj: old(label), dryRun: true, inner: inner{refuses: errForbidden}, refused: true},
		"context, by the operator":         {old: old(), obj: old(strip, withOrigin(other, 3, submittedAt)), user: operatorUser},
	} {
		t.Run(name, func(t *testing.T) {
			summaries := map[string]summary{}
			for form, wrap := range forms {
				serve := func(opts ...Option) *webhook.Admission { return wrap(tc.inner, opts...) }
				summaries[form] = post(t, serve, reviewOf(t, tc.old, tc.obj, tc.user, tc.dryRun), nil).summary()
			}
			got := sameSummaries(t, summaries)
			want := tc.want
			if want == nil {
				want = tc.obj.Annotations
			}
			if diff := cmp.Diff(want, got.Annotations); diff != "" || got.Allowed == tc.refused {
				t.Errorf("allowed %t, annotations differ (-want +got):\n%s", got.Allowed, diff)
			}
			for _, span := range got.Spans {
				if strings.Contains(span, string(ObjectGenerationKey)) || strings.Count(span, linked) > 1 {
					t.Errorf("span %q, whose generation is not known yet, with each link once", span)
				}
			}
			if tc.says == nil && len(got.Spans) > 0 || tc.says != nil && (len(got.Spans) != 1 || !got.says(tc.says...)) {
				t.Errorf("spans %q, want %q", got.Spans, tc.says)
			}
		})
	}
}

// TestRawRequestsThatStay: requests without a meaning for tracing pass through unchanged.
func TestRawRequestsThatStay(t *testing.T) {
	answered := admission.Patched("as it was", jsonpatch.NewOperation("add", "/spec", map[string]any{}))
	object := reviewOf(t, nil, submitted(), "alice", false)
	with := func(edit func(*admissionv1.AdmissionRequest)) admissionv1.AdmissionRequest {
		req := object
		edit(&req)
		return req
	}
	raw := func(text string) admissionv1.AdmissionRequest {
		return with(func(r *admissionv1.AdmissionRequest) { r.Object = runtime.RawExtension{Raw: []byte(text)} })
	}
	for name, req := range map[string]admissionv1.AdmissionRequest{
		"delete": with(func(r *admissionv1.AdmissionRequest) {
			r.Operation, r.OldObject, r.Object.Raw = admissionv1.Delete, r.Object, nil
		}),
		"connect":      with(func(r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Connect }),
		"sub-resource": with(func(r *admissionv1.AdmissionRequest) { r.SubResource = "eviction" }),
		"no object":    raw(""), "broken": raw(`{"metadata":`), "text": raw(`"text"`), "list": raw(`[1]`), "null": raw(`null`),
		"metadata is a number":       raw(`{"metadata":5}`),
		"annotations are a list":     raw(`{"metadata":{"annotations":["x"]}}`),
		"an annotation is a number":  raw(`{"metadata":{"annotations":{"x":5}}}`),
		"an annotation is a context": raw(`{"metadata":{"annotations":{"` + parentKey + `":{"x":5}}}}`),
	} {
		t.Run(name, func(t *testing.T) {
			tp := tracingtest.NewTracerProvider()
			var seen admission.Request
			h := WrapAdmissionHandler(admission.HandlerFunc(func(_ context.Context, r admission.Request) admission.Response {
				seen = r
				return answered
			}), WithTracerProvider(tp))
			got := h.Handle(t.Context(), admission.Request{AdmissionRequest: req})
			if diff := cmp.Diff(answered, got); diff != "" || len(tp.Spans()) != 0 {
				t.Errorf("spans %v, the answer differs:\n%s", spanNames(tp.Spans()), diff)
			}
			if diff := cmp.Diff(req, seen.AdmissionRequest); diff != "" {
				t.Errorf("the request differs:\n%s", diff)
			}
		})
	}
}

// TestRawPatchesThatCannotBe: a patch that the API server will reject is not extended, and the span
// has an error.
func TestRawPatchesThatCannotBe(t *testing.T) {
	bytesOf := func(patch string, as *admissionv1.PatchType) admission.Response {
		return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Allowed: true, Patch: []byte(patch), PatchType: as}}
	}
	jsonPatch := new(admissionv1.PatchTypeJSONPatch)
	for name, answered := range map[string]admission.Response{
		"missing path":           admission.Patched("", jsonpatch.NewOperation("remove", "/spec/nothing", nil)),
		"no JSON":                bytesOf("{", jsonPatch),
		"no list":                bytesOf("{}", jsonPatch),
		"unknown operation":      bytesOf(`[{"op":"invent","path":"/x"}]`, jsonPatch),
		"no type":                bytesOf(`[{"op":"add","path":"/x","value":1}]`, nil),
		"merge patch":            bytesOf(`{}`, new(admissionv1.PatchType("MergePatch"))),
		"no object left":         bytesOf(`[{"op":"replace","path":"","value":5}]`, jsonPatch),
		"annotations are a list": bytesOf(`[{"op":"replace","path":"/metadata/annotations","value":[1]}]`, jsonPatch),
		"value cannot be JSON":   admission.Patched("", jsonpatch.NewOperation("add", "/x", func() {})),
	} {
		t.Run(name, func(t *testing.T) {
			tp := tracingtest.NewTracerProvider()
			h := WrapAdmissionHandler(admission.HandlerFunc(func(context.Context, admission.Request) admission.Response { return answered }), WithTracerProvider(tp))
			got := h.Handle(t.Context(), admission.Request{AdmissionRequest: reviewOf(t, nil, submitted(), "alice", false)})
			if len(got.Patches) != len(answered.Patches) || string(got.Patch) != string(answered.Patch) || got.PatchType != answered.PatchType || !got.Allowed {
				t.Errorf("the answer is %+v, want %+v", got, answered)
			}
			if s := spanNamed(t, tp.Spans(), "admit Deployment"); s.StatusCode != codes.Error {
				t.Errorf("status %v %q", s.StatusCode, s.StatusMessage)
			}
		})
	}
}

// TestRawRefusals: the handler's answer is returned unchanged, and the span distinguishes a denial
// from a failure.
func TestRawRefusals(t *testing.T) {
	status := func(code int32, reason metav1.StatusReason) admission.Response {
		return admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Result: &metav1.Status{Code: code, Reason: reason, Message: "because"}}}
	}
	for name, tc := range map[string]struct {
		resp      admission.Response
		errorType string // "" means a denial
	}{
		"denied":                {admission.Denied("because"), ""},
		"nothing said":          {admission.Response{}, ""},
		"only a message":        {status(0, ""), ""},
		"403 by hand":           {status(403, ""), ""},
		"invalid":               {status(422, metav1.StatusReasonInvalid), ""},
		"errored, bad request":  {admission.Errored(400, errors.New("because")), "BadRequest"},
		"errored":               {admission.Errored(500, errors.New("because")), "InternalError"},
		"errored, unknown code": {admission.Errored(418, errors.New("because")), "*errors.StatusError"},
		"internal":              {status(500, metav1.StatusReasonInternalError), "InternalError"},
		"timeout":               {status(504, metav1.StatusReasonTimeout), "Timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			tp := tracingtest.NewTracerProvider()
			h := WrapAdmissionHandler(admission.HandlerFunc(func(context.Context, admission.Request) admission.Response { return tc.resp }), WithTracerProvider(tp))
			got := h.Handle(t.Context(), admission.Request{AdmissionRequest: reviewOf(t, nil, submitted(), "alice", false)})
			if diff := cmp.Diff(tc.resp, got); diff != "" {
				t.Errorf("the answer differs:\n%s", diff)
			}
			s := spanNamed(t, tp.Spans(), "admit Deployment")
			if tc.errorType != "" {
				if kind, _ := s.Attribute(ErrorTypeKey); kind.AsString() != tc.errorType || s.StatusCode != codes.Error || s.StatusMessage != "because" {
					t.Errorf("error type %q, status %v %q", kind.AsString(), s.StatusCode, s.StatusMessage)
				}
				return
			}
			if len(s.Events) != 1 || s.Events[0].Name != "denied" || s.StatusCode != codes.Unset {
				t.Fatalf("events %v, status %v", s.Events, s.StatusCode)
			}
			if said := tc.resp.Result != nil; said != (len(s.Events[0].Attributes) == 1) || said && s.Events[0].Attributes[0] != AdmissionMessageKey.String("because") {
				t.Errorf("attributes %v", s.Events[0].Attributes)
			}
		})
	}
}

// TestRawNilAllows: a nil handler allows every request, with tracing on or off.
func TestRawNilAllows(t *testing.T) {
	var none admission.HandlerFunc
	var pointer *inner
	for name, h := range map[string]admission.Handler{"nil": nil, "nil function": none, "nil pointer": pointer} {
		for _, opts := range [][]Option{nil, {WithTracerProvider(tracingtest.NewTracerProvider())}} {
			serve := func(...Option) *webhook.Admission {
				return &webhook.Admission{Handler: WrapAdmissionHandler(h, opts...)}
			}
			got := post(t, serve, reviewOf(t, nil, submitted(), "alice", false), http.Header{})
			if _, traced := got.annotations()[parentKey]; !got.response.Allowed || traced != (opts != nil) {
				t.Errorf("%s: %+v", name, got.response)
			}
		}
	}
}

// TestContextPatch: the patch has the fewest operations, and escapes keys for JSON pointers.
func TestContextPatch(t *testing.T) {
	keys := newConfig([]Option{WithAnnotationPrefix("a~b/")}).keys
	op := jsonpatch.NewOperation
	with := func(annotations any) jsonObject {
		return jsonObject{"metadata": map[string]any{"annotations": annotations}}
	}
	values := map[string]string{"a~b/traceparent": "p", "a~b/origin": "o"}
	const parent, state, origin = "/metadata/annotations/a~0b~1traceparent", "/metadata/annotations/a~0b~1tracestate", "/metadata/annotations/a~0b~1origin"
	big := strings.Repeat("x", maxAnnotations-len("theirs"))
	for name, tc := range map[string]struct {
		body   jsonObject
		values map[string]string
		want   []jsonpatch.Operation
	}{
		"no metadata":        {jsonObject{}, values, []jsonpatch.Operation{op("add", "/metadata", map[string]any{"annotations": values})}},
		"metadata is null":   {jsonObject{"metadata": nil}, values, []jsonpatch.Operation{op("add", "/metadata", map[string]any{"annotations": values})}},
		"no annotations":     {jsonObject{"metadata": map[string]any{}}, values, []jsonpatch.Operation{op("add", "/metadata/annotations", values)}},
		"annotations null":   {with(nil), values, []jsonpatch.Operation{op("add", "/metadata/annotations", values)}},
		"empty annotations":  {with(map[string]any{}), values, []jsonpatch.Operation{op("add", parent, "p"), op("add", origin, "o")}},
		"others":             {with(map[string]any{"theirs": "x"}), values, []jsonpatch.Operation{op("add", parent, "p"), op("add", origin, "o")}},
		"as it is":           {with(map[string]any{"a~b/traceparent": "p", "a~b/origin": "o"}), values, nil},
		"replaced":           {with(map[string]any{"a~b/traceparent": "x", "a~b/origin": "o", "a~b/tracestate": "s"}), values, []jsonpatch.Operation{op("replace", parent, "p"), op("remove", state, nil)}},
		"removed":            {with(map[string]any{"a~b/traceparent": "x"}), map[string]string{}, []jsonpatch.Operation{op("remove", parent, nil)}},
		"none, as before":    {with(nil), map[string]string{}, nil},
		"no room":            {with(map[string]any{"theirs": big}), values, nil},
		"no room, one there": {with(map[string]any{"theirs": big, "a~b/traceparent": "x"}), values, []jsonpatch.Operation{op("remove", parent, nil)}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, contextPatch(tc.body, keys, tc.values)); diff != "" {
				t.Errorf("operations differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRawSharedPatches: a handler may return the same slice for every request.
func TestRawSharedPatches(t *testing.T) {
	shared := make([]jsonpatch.Operation, 1, 10)
	shared[0] = jsonpatch.NewOperation("add", "/metadata/labels", map[string]any{})
	h := WrapAdmissionHandler(admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
		return admission.Patched("", shared...)
	}), WithTracerProvider(tracingtest.NewTracerProvider()))
	req := admission.Request{AdmissionRequest: reviewOf(t, nil, submitted(), "alice", false)}
	first := h.Handle(t.Context(), req)
	second := h.Handle(t.Context(), req)
	if len(first.Patches) != 3 || len(second.Patches) != 3 || first.Patches[1].Value == second.Patches[1].Value {
		t.Errorf("patches %v and %v", first.Patches, second.Patches)
	}
}
