package tracing

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// onObject adds the case to an object, as a context of its current generation.
func (tc w3cCase) onObject(d *appsv1.Deployment) {
	d.Annotations = map[string]string{originKey: fmt.Sprintf("b7ad6b7169203331-%d-%d", max(d.Generation-1, 0), time.Now().UnixNano())}
	if tc.parent != "" {
		d.Annotations[parentKey] = tc.parent
	}
	if tc.state != "" {
		d.Annotations[stateKey] = tc.state
	}
}

// check compares a context with the expected one, which is invalid if there should be none.
func (tc w3cCase) check(t *testing.T, where string, sc trace.SpanContext) {
	t.Helper()
	if sc.IsValid() != tc.valid || sc.TraceFlags() != tc.flags || sc.TraceState().String() != tc.wantState {
		t.Errorf("%s: context %v with flags %s and tracestate %q, want valid %t, %s and %q", where,
			sc.SpanID(), sc.TraceFlags(), sc.TraceState(), tc.valid, tc.flags, tc.wantState)
	}
	if tc.valid && sc.TraceID().String()+"-"+sc.SpanID().String() != w3cIDs {
		t.Errorf("%s: ids %s and %s", where, sc.TraceID(), sc.SpanID())
	}
}

func (tc w3cCase) checkLinks(t *testing.T, where string, s tracingtest.Span) {
	t.Helper()
	switch {
	case tc.valid && len(s.Links) == 1:
		tc.check(t, where, s.Links[0].SpanContext)
	case tc.valid, len(s.Links) > 0:
		t.Errorf("%s: links %v, want one: %t", where, s.Links, tc.valid)
	}
}

func TestW3C(t *testing.T) {
	cases := w3cParents()
	for name, tc := range w3cStates() {
		cases[name] = tc
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.extracted(t)
			tc.reconciled(t)
			tc.admitted(t)
			tc.inHeader(t)
		})
	}
}

func (tc w3cCase) extracted(t *testing.T) {
	t.Helper()
	var logged logLines
	obj := deployment("owner", tc.onObject)
	sc, _ := ExtractContext(log.IntoContext(t.Context(), logged.logger()), obj, WithTracerProvider(tracingtest.NewTracerProvider()))
	tc.check(t, "extracted", sc)
	tc.checkLines(t, "extracted", logged.lines)
}

// checkLines checks that an invalid context is logged once, truncated, and without control
// characters.
func (tc w3cCase) checkLines(t *testing.T, where string, lines []string) {
	t.Helper()
	want := 0
	if !tc.valid && tc.parent+tc.state != "" {
		want = 1
	}
	if len(lines) != want {
		t.Errorf("%s: %d lines are logged, want %d", where, len(lines), want)
	}
	for _, line := range lines {
		if !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) || strings.Contains(line, `\x`) || len(line) > 1000 {
			t.Errorf("%s: logged %.2000q", where, line)
		}
	}
}

// reconciled checks that the span is a child of the context, or a root if the context is invalid,
// and that the written context is valid.
func (tc w3cCase) reconciled(t *testing.T) {
	t.Helper()
	owner := deployment("owner", tc.onObject)
	var written corev1.ConfigMap
	server := newFakeServer(t, owner)
	spans, err := recordReconcile(t, server, []Option{WithCreateAnnotation()}, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		return c.Create(ctx, configMap("child"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Get(t.Context(), client.ObjectKeyFromObject(configMap("child")), &written); err != nil {
		t.Fatal(err)
	}
	s := spanNamed(t, spans, "reconcile Deployment")
	parent := s.Parent
	if !tc.valid {
		if s.Context.TraceID() != generationTrace(owner.UID, 1).TraceID() || len(s.Links) > 0 {
			t.Errorf("reconciled: parent %v, links %v, want the root of the generation", parent, s.Links)
		}
		parent = trace.SpanContext{}
	}
	tc.check(t, "reconciled", parent)
	stored, ok := newConfig(nil).extractFrom(written.Annotations)
	if !ok || !stored.hasOrigin || stored.sc.TraceFlags() != tc.flags|trace.FlagsSampled || stored.sc.TraceState().String() != tc.wantState {
		t.Errorf("reconciled: wrote %v", written.Annotations)
	}
}

// admitted checks both forms of webhooks: a user's context is a link or ignored, and the object
// gets another context.
func (tc w3cCase) admitted(t *testing.T) {
	t.Helper()
	obj := submitted(tc.onObject)
	got := admitCase{obj: obj, user: "alice"}.run(t)
	s := spanNamed(t, got.spans, "admit Deployment")
	tc.checkLinks(t, "defaulter", s)
	tc.checkLines(t, "defaulter", got.lines)
	if got.stored().sc.SpanID() != s.Context.SpanID() || got.obj.Annotations[stateKey] != "" {
		t.Errorf("defaulter: annotations %v", got.obj.Annotations)
	}

	var logged logLines
	tp := tracingtest.NewTracerProvider()
	req := reviewOf(t, nil, obj, "alice", false)
	h := WrapAdmissionHandler(nil, WithTracerProvider(tp))
	resp := h.Handle(log.IntoContext(t.Context(), logged.logger()), admission.Request{AdmissionRequest: req})
	if err := resp.Complete(admission.Request{}); err != nil || !resp.Allowed {
		t.Fatalf("handler: allowed %t, error %v", resp.Allowed, err)
	}
	s = spanNamed(t, tp.Spans(), "admit Deployment")
	tc.checkLinks(t, "handler", s)
	tc.checkLines(t, "handler", logged.lines)
	annotations := answer{object: applied(t, req.Object.Raw, &resp.AdmissionResponse)}.annotations()
	if stored, _ := newConfig(nil).extractFrom(annotations); stored.sc.SpanID() != s.Context.SpanID() || annotations[stateKey] != "" {
		t.Errorf("handler: annotations %v", annotations)
	}
}

func (tc w3cCase) inHeader(t *testing.T) {
	t.Helper()
	header := http.Header{}
	if tc.parent != "" {
		header.Set("traceparent", tc.parent)
	}
	if tc.state != "" {
		header.Set("tracestate", tc.state)
	}
	ctx := WebhookContext(WithTracerProvider(tracingtest.NewTracerProvider()))(t.Context(), &http.Request{Header: header})
	tc.check(t, "header", trace.SpanContextFromContext(ctx))
}

// TestHeaderTwice: repeated traceparents are ignored, and repeated tracestates are one list.
func TestHeaderTwice(t *testing.T) {
	read := WebhookContext(WithTracerProvider(tracingtest.NewTracerProvider()))
	twice := http.Header{"Traceparent": {w3cParent, w3cParent}}
	if sc := trace.SpanContextFromContext(read(t.Context(), &http.Request{Header: twice})); sc.IsValid() {
		t.Errorf("two traceparents are %v", sc)
	}
	lists := http.Header{"Traceparent": {w3cParent}, "Tracestate": {"a=1", "", "b=2, c=3"}}
	w3cCase{valid: true, flags: 1, wantState: "a=1,b=2,c=3"}.check(t, "header", trace.SpanContextFromContext(read(t.Context(), &http.Request{Header: lists})))
}

// TestOtherPropagatorsValues: values of other propagators are not changed.
func TestOtherPropagatorsValues(t *testing.T) {
	for key, value := range map[string]string{"b3": w3cParent + "-", "baggage": "a=1, ,b=2"} {
		if got := level2Value(key, value); got != value {
			t.Errorf("%s: %q, want %q", key, got, value)
		}
	}
}
