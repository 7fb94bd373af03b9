package tracing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	evanphx "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// inner is the operator's webhook, in every form.
type inner struct {
	mutate  func(*appsv1.Deployment)
	refuses error // apierrors.NewForbidden is a denial, other errors are failures
	panics  bool
}

var (
	errForbidden = apierrors.NewForbidden(schema.GroupResource{Resource: "deployments"}, "owner", errors.New("no"))
	errBroken    = apierrors.NewInternalError(errors.New("broken"))
)

// Default implements admission.Defaulter.
func (i inner) Default(ctx context.Context, d *appsv1.Deployment) error {
	log.FromContext(ctx).Info("a line starts no span")
	if i.panics {
		panic("boom")
	}
	if i.mutate != nil {
		i.mutate(d)
	}
	return i.refuses
}

// Handle implements admission.Handler, with operations.
func (i inner) Handle(ctx context.Context, req admission.Request) admission.Response {
	var d appsv1.Deployment
	if err := json.Unmarshal(req.Object.Raw, &d); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	switch err := i.Default(ctx, &d); {
	case errors.Is(err, errForbidden):
		return admission.Denied(err.Error())
	case err != nil:
		return admission.Errored(http.StatusInternalServerError, err)
	}
	data, err := json.Marshal(&d)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(req.Object.Raw, data)
}

// asBytes answers with an encoded patch.
func (i inner) asBytes(ctx context.Context, req admission.Request) admission.Response {
	resp := i.Handle(ctx, req)
	if err := resp.Complete(req); err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	resp.Patches = nil
	return resp
}

// forms are the ways to serve an inner webhook.
var forms = map[string]func(inner, ...Option) *webhook.Admission{
	"handler": func(i inner, opts ...Option) *webhook.Admission {
		return &webhook.Admission{Handler: WrapAdmissionHandler(i, opts...)}
	},
	"handler with bytes": func(i inner, opts ...Option) *webhook.Admission {
		return &webhook.Admission{Handler: WrapAdmissionHandler(admission.HandlerFunc(i.asBytes), opts...)}
	},
	"defaulter": func(i inner, opts ...Option) *webhook.Admission {
		return admission.WithDefaulter(scheme.Scheme, WrapDefaulter(i, opts...))
	},
	"handler around a wrapped defaulter": func(i inner, opts ...Option) *webhook.Admission {
		defaulter := admission.WithDefaulter(scheme.Scheme, WrapDefaulter(i, opts...))
		return &webhook.Admission{Handler: WrapAdmissionHandler(defaulter.Handler, opts...)}
	},
}

// answer is the HTTP response with the recorded spans and the log.
type answer struct {
	response admissionv1.AdmissionResponse
	object   map[string]any // the object that the API server stores
	spans    []tracingtest.Span
	lines    []string
}

// post sends a request to a webhook as the API server does.
func post(t *testing.T, serve func(...Option) *webhook.Admission, req admissionv1.AdmissionRequest, header http.Header, opts ...Option) answer {
	t.Helper()
	tp := tracingtest.NewTracerProvider()
	opts = append([]Option{WithTracerProvider(tp), WithTrustedWriters(operatorUser)}, opts...)
	hook := serve(opts...)
	var logged logLines
	fromHeader := WebhookContext(opts...)
	hook.WithContextFunc = func(ctx context.Context, r *http.Request) context.Context {
		return log.IntoContext(fromHeader(ctx, r), logged.logger())
	}
	hook.LogConstructor = admission.DefaultLogConstructor
	handler, err := admission.StandaloneWebhook(hook, admission.StandaloneOptions{Logger: logged.logger()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	req.UID = "review"
	body := marshal(t, admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: &req,
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Content-Type", "application/json")
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	var review admissionv1.AdmissionReview
	if err := json.NewDecoder(got.Body).Decode(&review); err != nil || review.Response == nil || review.Response.UID != "review" {
		t.Fatalf("the answer %+v, error %v", review, err)
	}
	if n := tp.Unended(); n != 0 {
		t.Errorf("%d spans have not ended", n)
	}
	return answer{*review.Response, applied(t, req.Object.Raw, review.Response), tp.Spans(), logged.lines}
}

// applied returns the object with the patch of the answer applied.
func applied(t *testing.T, raw []byte, resp *admissionv1.AdmissionResponse) map[string]any {
	t.Helper()
	if len(resp.Patch) > 0 {
		patch, err := evanphx.DecodePatch(resp.Patch)
		if err != nil || resp.PatchType == nil || *resp.PatchType != admissionv1.PatchTypeJSONPatch {
			t.Fatalf("patch %s of type %v, error %v", resp.Patch, resp.PatchType, err)
		}
		if raw, err = patch.Apply(raw); err != nil {
			t.Fatalf("applying %s: %v", resp.Patch, err)
		}
	}
	var object map[string]any
	_ = json.Unmarshal(raw, &object) // some tests send no object
	return object
}

func (a answer) annotations() map[string]string {
	metadata, _ := a.object["metadata"].(map[string]any)
	values, _ := metadata["annotations"].(map[string]any)
	out := map[string]string{}
	for k, v := range values {
		out[k] = fmt.Sprint(v)
	}
	return out
}

// summary is the part of an answer that must be the same in all forms. Random ids are replaced by
// their meaning.
type summary struct {
	Allowed     bool
	Annotations map[string]string
	Replicas    any
	Spans       []string
}

func (a answer) summary() summary {
	s := summary{Allowed: a.response.Allowed, Annotations: a.annotations()}
	if spec, ok := a.object["spec"].(map[string]any); ok {
		s.Replicas = spec["replicas"]
	}
	stored, valid := newConfig(nil).extractFrom(s.Annotations)
	if a.response.Allowed && valid && !strings.HasPrefix(stored.sc.SpanID().String(), "00000000000000") { // a generated id
		of := "unknown span"
		for _, span := range a.spans {
			if span.Context.SpanID() == stored.sc.SpanID() && span.Context.TraceID() == stored.sc.TraceID() && span.Start.UnixNano() == stored.origin.start.UnixNano() {
				of = span.Name
			}
		}
		s.Annotations[parentKey] = fmt.Sprintf("%s, sampled %t", of, stored.sc.IsSampled())
		s.Annotations[originKey] = fmt.Sprintf("%t, before: %d", stored.hasOrigin, stored.origin.generation)
	}
	for _, span := range a.spans {
		text := fmt.Sprintf("%s %s, %s", span.Kind, span.Name, span.StatusCode)
		if span.Parent.IsValid() {
			text += ", parent " + span.Parent.SpanID().String()
		}
		for _, l := range span.Links {
			text += ", link " + l.SpanContext.SpanID().String()
		}
		for _, e := range span.Events {
			text += ", event " + e.Name
		}
		var attributes []string
		for _, kv := range span.Attributes {
			attributes = append(attributes, fmt.Sprintf("%s=%v", kv.Key, kv.Value.AsInterface()))
		}
		slices.Sort(attributes)
		s.Spans = append(s.Spans, text+" "+strings.Join(attributes, " "))
	}
	return s
}

// reviewOf returns the API server's request: an update if old is not nil, else a create.
func reviewOf(t *testing.T, old, obj *appsv1.Deployment, user string, dryRun bool) admissionv1.AdmissionRequest {
	t.Helper()
	req := admissionv1.AdmissionRequest{
		Operation: admissionv1.Create,
		Kind:      metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		Namespace: "ns", Name: obj.Name, DryRun: &dryRun,
		UserInfo: authenticationv1.UserInfo{Username: user},
	}
	typed := func(d *appsv1.Deployment) runtime.RawExtension {
		d = d.DeepCopy()
		d.APIVersion, d.Kind = "apps/v1", "Deployment"
		return runtime.RawExtension{Raw: marshal(t, d)}
	}
	req.Object = typed(obj)
	if old != nil {
		req.Operation, req.OldObject = admissionv1.Update, typed(old)
	}
	return req
}

// says reports whether one of the spans has all the parts.
func (s summary) says(parts ...string) bool {
	for _, span := range s.Spans {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(span, p)
		}
		if all {
			return true
		}
	}
	return false
}

func sameSummaries(t *testing.T, got map[string]summary) summary {
	t.Helper()
	want := got["defaulter"]
	for form, s := range got {
		if diff := cmp.Diff(want, s); diff != "" {
			t.Errorf("%s differs from the wrapped defaulter (-defaulter +%s):\n%s", form, form, diff)
		}
	}
	return want
}
