package tracing

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	"gomodules.xyz/jsonpatch/v2"
	appsv1 "k8s.io/api/apps/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/controller-runtime/pkg/webhook/conversion"
)

// validator accepts every object.
type validator struct {
	admission.Validator[*appsv1.Deployment]
}

func (validator) ValidateCreate(context.Context, *appsv1.Deployment) (admission.Warnings, error) {
	return nil, nil
}

// scaler sets the default of replicas.
type scaler struct{}

func (scaler) Default(_ context.Context, d *appsv1.Deployment) error {
	d.Spec.Replicas = new(int32(9))
	return nil
}

func patching(context.Context, admission.Request) admission.Response {
	return admission.Patched("", jsonpatch.NewOperation("add", "/spec/paused", true))
}

func TestMutation(t *testing.T) {
	t.Parallel()
	raw := admission.HandlerFunc(patching)
	defaulter := admission.WithDefaulter[*appsv1.Deployment](clientgoscheme.Scheme, scaler{}).Handler
	validating := admission.WithValidator[*appsv1.Deployment](clientgoscheme.Scheme, validator{}).Handler
	for _, tc := range []struct {
		path string
		h    admission.Handler
		want mutability
	}{
		{"/custom", defaulter, mutates},
		{"/validate-x", defaulter, mutates},
		{"/custom", validating, neverMutates},
		{"/mutate-x", validating, neverMutates},
		{"/x", admission.MultiMutatingHandler(raw), mutates},
		{"/mutate", admission.MultiValidatingHandler(raw), neverMutates},
		{"/mutate-v1-pod", raw, mutates},
		{"/pods/Mutating", raw, mutates},
		{"/validate-v1-pod", raw, neverMutates},
		{"/validate-mutation", raw, neverMutates},
		{"/mutate-validator", raw, mutates},
		{"/hook", raw, unknownMutability},
		{"", raw, unknownMutability},
	} {
		if got := mutation(tc.path, tc.h); got != tc.want {
			t.Errorf("mutation(%q, %T) = %d, want %d", tc.path, tc.h, got, tc.want)
		}
	}
}

// TestWrapManagerTracesWebhooks registers a webhook of each kind and checks their responses.
func TestWrapManagerTracesWebhooks(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	if err := builder.WebhookManagedBy(m, &appsv1.Deployment{}).WithDefaulter(scaler{}).WithValidator(validator{}).Complete(); err != nil {
		t.Fatal(err)
	}
	raw := map[string]*admission.Webhook{}
	for _, path := range []string{"/mutate-raw", "/validate-raw", "/raw"} {
		raw[path] = &admission.Webhook{Handler: admission.HandlerFunc(patching)}
		m.GetWebhookServer().Register(path, raw[path])
	}
	empty := &admission.Webhook{}
	m.GetWebhookServer().Register("/mutate-empty", empty)
	m.GetWebhookServer().Register("/plain", http.NotFoundHandler())
	m.GetWebhookServer().Register("/convert", conversion.NewWebhookHandler(m.GetScheme(), m.GetConverterRegistry()))
	if empty.Handler != nil {
		t.Error("a webhook without a handler gets one")
	}
	create := admission.Request{AdmissionRequest: reviewOf(t, nil, submitted(), "alice", false)}
	for _, tc := range []struct {
		path string
		want []int // spans after each request
	}{
		{"/mutate-raw", []int{1, 2}}, {"/validate-raw", []int{0, 0}}, {"/raw", []int{0, 1}},
	} {
		m.tp.Reset()
		for _, want := range tc.want {
			resp := raw[tc.path].Handle(t.Context(), create)
			if got := len(m.tp.Spans()); got != want || !resp.Allowed {
				t.Errorf("%s: %d spans, allowed %t, want %d", tc.path, got, resp.Allowed, want)
			}
			has := slices.ContainsFunc(resp.Patches, func(o jsonpatch.Operation) bool { return strings.Contains(o.Path, "traceparent") })
			if has != (want > 0) {
				t.Errorf("%s: patches %v", tc.path, resp.Patches)
			}
		}
	}
	tm := m.Manager.(*tracedManager)
	want := []string{"/mutate-apps-v1-deployment", "/mutate-raw", "/raw"}
	if diff := cmp.Diff(want, tm.report.webhooks); diff != "" {
		t.Errorf("traced webhooks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"webhook /plain: http.HandlerFunc is not an *admission.Webhook; use WrapAdmissionHandler"}, tm.report.untraced); diff != "" {
		t.Errorf("not traced (-want +got):\n%s", diff)
	}
	m.GetWebhookServer().Register("/mutate-again", raw["/mutate-raw"])
	if h, ok := raw["/mutate-raw"].Handler.(*rawHandler); !ok {
		t.Errorf("handler %T", raw["/mutate-raw"].Handler)
	} else if _, twice := h.inner.(*rawHandler); twice {
		t.Error("a webhook on two paths is wrapped twice")
	}
}

// TestWebhooksContext: the user's function receives the request's context, and its result takes
// precedence.
func TestWebhooksContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	w := &admission.Webhook{Handler: admission.HandlerFunc(patching), WithContextFunc: func(ctx context.Context, _ *http.Request) context.Context {
		return context.WithValue(ctx, key{}, "theirs")
	}}
	m := newManaged(t)
	m.GetWebhookServer().Register("/mutate", w)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/mutate", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("traceparent", "00-00000000000000000000000000000001-0000000000000002-01")
	ctx := w.WithContextFunc(t.Context(), r)
	if ctx.Value(key{}) != "theirs" {
		t.Error("the user's function is not called")
	}
	if sc := spanContextOf(ctx); sc != "00000000000000000000000000000001" {
		t.Errorf("trace %q is not the header's", sc)
	}
}

func spanContextOf(ctx context.Context) string {
	return trace.SpanContextFromContext(ctx).TraceID().String()
}
