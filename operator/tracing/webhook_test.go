package tracing

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

const operatorUser = "system:serviceaccount:operator:operator"

type defaulterFunc func(context.Context, *appsv1.Deployment) error

func (f defaulterFunc) Default(ctx context.Context, d *appsv1.Deployment) error { return f(ctx, d) }

// admitCase is one request: an update if old is not nil, else a create.
type admitCase struct {
	old, obj *appsv1.Deployment
	user     string
	dryRun   bool
	header   trace.SpanContext
	inner    defaulterFunc
	opts     []Option
}

type admitted struct {
	spans []tracingtest.Span
	obj   *appsv1.Deployment
	lines []string
	err   error
}

// stored returns the context on the admitted object.
func (a admitted) stored() storedContext {
	s, _ := newConfig(nil).extractFrom(a.obj.Annotations)
	return s
}

func (tc admitCase) run(t *testing.T) admitted {
	t.Helper()
	tp := tracingtest.NewTracerProvider()
	opts := append([]Option{WithTracerProvider(tp), WithTrustedWriters(operatorUser)}, tc.opts...)
	req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Create,
		Kind:      metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		Namespace: "ns",
		UserInfo:  authenticationv1.UserInfo{Username: tc.user},
		DryRun:    &tc.dryRun,
	}}
	req.Object.Raw = marshal(t, tc.obj)
	if tc.old != nil {
		req.Operation = admissionv1.Update
		req.OldObject.Raw = marshal(t, tc.old)
	}
	var logged logLines
	ctx := log.IntoContext(t.Context(), logged.logger())
	if tc.header.IsValid() {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("traceparent", newConfig(nil).values(tc.header, 0, metav1.Now().Time)[parentKey])
		ctx = WebhookContext(opts...)(ctx, r)
	}
	obj := tc.obj.DeepCopy()
	var inner admission.Defaulter[*appsv1.Deployment]
	if tc.inner != nil {
		inner = tc.inner
	}
	err := WrapDefaulter(inner, opts...).Default(admission.NewContextWithRequest(ctx, req), obj)
	if n := tp.Unended(); n != 0 {
		t.Errorf("%d spans have not ended when the response is sent", n)
	}
	return admitted{tp.Spans(), obj, logged.lines, err}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// submitted returns a Deployment as a user sends it.
func submitted(edit ...func(*appsv1.Deployment)) *appsv1.Deployment {
	return deployment("owner", append([]func(*appsv1.Deployment){func(d *appsv1.Deployment) {
		d.UID, d.Generation = "", 0
		d.Annotations = map[string]string{"theirs": "stays"}
	}}, edit...)...)
}

func bears(sc trace.SpanContext) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		d.Annotations = newConfig(nil).keys.put(d.Annotations, map[string]string{
			parentKey: "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-01",
		})
	}
}

func TestAdmitCreateStartsTrace(t *testing.T) {
	got := admitCase{obj: submitted()}.run(t)
	s := spanNamed(t, got.spans, "admit Deployment")
	if s.Kind != trace.SpanKindServer || s.Parent.TraceID().IsValid() || len(s.Links) != 0 {
		t.Errorf("kind %v, parent %v, links %v, want a server's root", s.Kind, s.Parent, s.Links)
	}
	if stored := got.stored(); stored.sc.SpanID() != s.Context.SpanID() || !stored.belongsTo(1) || stored.origin.start.UnixNano() != s.Start.UnixNano() {
		t.Errorf("the object carries %+v, want the span %s, generation 1 and its start", stored, s.Context.SpanID())
	}
	if got.obj.Annotations["theirs"] != "stays" {
		t.Errorf("annotations %v", got.obj.Annotations)
	}
	hasAttributes(t, s, map[attribute.Key]any{
		ObjectGroupKey: "apps", ObjectVersionKey: "v1", ObjectKindKey: "Deployment", NamespaceKey: "ns", ObjectNameKey: "owner",
	})
}

func TestAdmitGenerateName(t *testing.T) {
	got := admitCase{obj: submitted(func(d *appsv1.Deployment) { d.Name, d.GenerateName = "", "owner-" })}.run(t)
	if _, ok := spanNamed(t, got.spans, "admit Deployment").Attribute(ObjectNameKey); ok || !got.stored().sc.IsValid() {
		t.Errorf("the span has a generated name before it is known, or there is no context: %v", got.obj.Annotations)
	}
}

func TestAdmitReplacesMalformed(t *testing.T) {
	got := admitCase{obj: submitted(func(d *appsv1.Deployment) { d.Annotations[parentKey] = "00-malformed" })}.run(t)
	s := spanNamed(t, got.spans, "admit Deployment")
	if got.err != nil || got.stored().sc.SpanID() != s.Context.SpanID() || len(s.Links) != 0 {
		t.Errorf("error %v, annotations %v, links %v", got.err, got.obj.Annotations, s.Links)
	}
	if len(got.lines) != 1 || !strings.Contains(got.lines[0], "00-malformed") {
		t.Errorf("logged %q, want one line that shows the value", got.lines)
	}
	if !strings.Contains(got.lines[0], `"level"=0`) {
		t.Errorf("logged %s, want it where the operator's default level shows it", got.lines[0])
	}
}

// TestAdmitLogsLittleOfMalformed: a user's value can be as long as annotations may be, so the log
// line is truncated.
func TestAdmitLogsLittleOfMalformed(t *testing.T) {
	got := admitCase{obj: submitted(func(d *appsv1.Deployment) { d.Annotations[parentKey] = strings.Repeat("x", 256<<10) })}.run(t)
	if len(got.lines) != 1 || len(got.lines[0]) > 1000 {
		t.Errorf("logged %d lines, the first of %d bytes", len(got.lines), len(got.lines[0]))
	}
}

// TestAdmitInnerError: an error of the inner webhook is returned and recorded.
func TestAdmitInnerError(t *testing.T) {
	refused := errors.New("refused")
	got := admitCase{obj: submitted(), inner: func(context.Context, *appsv1.Deployment) error { return refused }}.run(t)
	if !errors.Is(got.err, refused) {
		t.Errorf("error %v", got.err)
	}
	if s := spanNamed(t, got.spans, "admit Deployment"); s.StatusCode != codes.Error {
		t.Errorf("status %v", s.StatusCode)
	}
	if got.stored().sc.IsValid() {
		t.Error("the denied object carries a context")
	}
}

// TestAdmitNeverDenies: tracing admits incomplete requests.
func TestAdmitNeverDenies(t *testing.T) {
	d := WrapDefaulter[*appsv1.Deployment](nil, WithTracerProvider(tracingtest.NewTracerProvider()))
	for name, ctx := range map[string]context.Context{
		"no request":  t.Context(),
		"no old":      admission.NewContextWithRequest(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Update}}),
		"subresource": admission.NewContextWithRequest(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create, SubResource: "eviction"}}),
		"delete":      admission.NewContextWithRequest(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Delete}}),
	} {
		obj := submitted(bears(sampledContext(5)))
		want := maps.Clone(obj.Annotations)
		if err := d.Default(ctx, obj); err != nil || !maps.Equal(obj.Annotations, want) {
			t.Errorf("%s: error %v, annotations %v", name, err, obj.Annotations)
		}
	}
}

func TestAdmitPanicGoesOn(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	defer func() {
		if got := recover(); got != "boom" {
			t.Errorf("recovered %v", got)
		}
		if s := spanNamed(t, tp.Spans(), "admit Deployment"); s.StatusCode != codes.Error {
			t.Errorf("status %v", s.StatusCode)
		}
	}()
	admitCase{obj: submitted(), opts: []Option{WithTracerProvider(tp)}, inner: func(context.Context, *appsv1.Deployment) error { panic("boom") }}.run(t)
}

func TestAdmitInnerSpanIsChild(t *testing.T) {
	user := tracingtest.NewTracerProvider()
	got := admitCase{obj: submitted(), inner: func(ctx context.Context, _ *appsv1.Deployment) error {
		_, span := user.Tracer("user").Start(ctx, "step")
		span.End()
		return nil
	}}.run(t)
	isChildOf(t, spanNamed(t, user.Spans(), "step"), spanNamed(t, got.spans, "admit Deployment").Context)
}
