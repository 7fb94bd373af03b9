package tracing

import (
	"context"
	"maps"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

func TestAdmitUntrustedContext(t *testing.T) {
	annotation, header := sampledContext(5), sampledContext(6)
	for name, tc := range map[string]struct {
		option Option
		parent trace.SpanContext
		links  int
	}{
		"link":   {WithUntrustedContext(UntrustedLink), trace.SpanContext{}, 2},
		"parent": {WithUntrustedContext(UntrustedParent), annotation, 1},
		"ignore": {WithUntrustedContext(UntrustedIgnore), trace.SpanContext{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var seen context.Context
			sampler := tracingtest.WithSampler(func(s tracingtest.Start) bool { seen = s.Context; return true })
			tp := tracingtest.NewTracerProvider(sampler)
			got := admitCase{obj: submitted(bears(annotation)), header: header, user: "alice", opts: []Option{tc.option, WithTracerProvider(tp)}}.run(t)
			s := spanNamed(t, tp.Spans(), "admit Deployment")
			if s.Parent.SpanID() != tc.parent.SpanID() || len(s.Links) != tc.links {
				t.Errorf("parent %s, %d links, want %s, %d", s.Parent.SpanID(), len(s.Links), tc.parent.SpanID(), tc.links)
			}
			if got.stored().sc.SpanID() != s.Context.SpanID() {
				t.Error("the user's context is still on the object")
			}
			if want := name != "ignore"; IsUntrusted(seen, annotation) != want || IsUntrusted(seen, header) != want || HasUntrusted(seen) != want {
				t.Errorf("the sampler sees the contexts marked as untrusted: %t, %t", IsUntrusted(seen, annotation), IsUntrusted(seen, header))
			}
		})
	}
}

func TestAdmitKeepsTrustedContext(t *testing.T) {
	sc := sampledContext(5)
	obj := submitted(carries(sc, 0))
	got := admitCase{obj: obj, user: operatorUser, header: sampledContext(6)}.run(t)
	s := spanNamed(t, got.spans, "admit Deployment")
	isChildOf(t, s, sc)
	if !maps.Equal(got.obj.Annotations, obj.Annotations) {
		t.Errorf("annotations %v, want %v", got.obj.Annotations, obj.Annotations)
	}
}

func TestAdmitUpdate(t *testing.T) {
	last, other := sampledContext(1), sampledContext(5)
	carried := deployment("owner", func(d *appsv1.Deployment) { d.Generation = 4 }, carries(last, 0)).Annotations
	old := func(edit ...func(*appsv1.Deployment)) *appsv1.Deployment {
		return deployment("owner", append([]func(*appsv1.Deployment){func(d *appsv1.Deployment) {
			d.Generation, d.Annotations = 4, maps.Clone(carried)
		}}, edit...)...)
	}
	scale := func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(7)) }
	label := func(d *appsv1.Deployment) { d.Labels = map[string]string{"new": "label"} }
	status := func(d *appsv1.Deployment) { d.Status.Replicas = 9 }
	strip := func(d *appsv1.Deployment) { d.Annotations = map[string]string{"theirs": "stays"} }
	revert := defaulterFunc(func(_ context.Context, d *appsv1.Deployment) error { d.Spec.Replicas = new(int32(3)); return nil })
	defaults := defaulterFunc(func(_ context.Context, d *appsv1.Deployment) error { d.Spec.MinReadySeconds = 5; return nil })
	for name, tc := range map[string]struct {
		obj   *appsv1.Deployment
		user  string
		inner defaulterFunc
		fresh bool               // a new trace starts
		kept  *trace.SpanContext // the object's context otherwise
	}{
		"spec":                             {old(scale), "alice", nil, true, nil},
		"spec, context removed":            {old(scale, strip), "alice", nil, true, nil},
		"spec, context changed":            {old(scale, bears(other)), "alice", nil, true, nil},
		"spec, reverted by the defaulter":  {old(scale), "alice", revert, false, &last},
		"changed by the defaulter":         {old(label), "alice", defaults, true, nil},
		"label":                            {old(label), "alice", nil, false, &last},
		"status":                           {old(status), "alice", nil, false, &last},
		"label, context removed":           {old(label, strip), "alice", nil, false, &trace.SpanContext{}},
		"context changed":                  {old(bears(other)), "alice", nil, false, &last},
		"context malformed":                {old(func(d *appsv1.Deployment) { d.Annotations[parentKey] = "x" }), "alice", nil, false, &last},
		"spec, by the operator, untraced":  {old(scale), operatorUser, nil, true, nil},
		"context, by the operator":         {old(bears(other)), operatorUser, nil, false, &other},
		"context removed, by the operator": {old(strip), operatorUser, nil, false, &trace.SpanContext{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := admitCase{old: old(), obj: tc.obj, user: tc.user, inner: tc.inner}.run(t)
			if got.err != nil {
				t.Fatal(got.err)
			}
			if !tc.fresh {
				if len(got.spans) != 0 || got.stored().sc.SpanID() != tc.kept.SpanID() {
					t.Errorf("spans %v, the object carries %v, want no span and %s", spanNames(got.spans), got.stored().sc, tc.kept.SpanID())
				}
				return
			}
			s := spanNamed(t, got.spans, "admit Deployment")
			if s.Parent.TraceID().IsValid() || len(s.Links) == 0 || s.Links[len(s.Links)-1].SpanContext.SpanID() != last.SpanID() {
				t.Errorf("parent %v, links %v, want a new trace linked to the last", s.Parent, s.Links)
			}
			if stored := got.stored(); stored.sc.SpanID() != s.Context.SpanID() || !stored.belongsTo(5) {
				t.Errorf("the object carries %+v, want the span for generation 5", stored)
			}
		})
	}
}

func TestAdmitKeepsTrustedContextOnUpdate(t *testing.T) {
	given := sampledContext(5)
	old := deployment("owner", carries(sampledContext(1), 0))
	got := admitCase{old: old, user: operatorUser, obj: deployment("owner", carries(given, 0), func(d *appsv1.Deployment) {
		d.Spec.Replicas = new(int32(7))
	})}.run(t)
	isChildOf(t, spanNamed(t, got.spans, "admit Deployment"), given)
	if got.stored().sc.SpanID() != given.SpanID() {
		t.Errorf("the object carries %v, want the operator's context", got.stored().sc)
	}
}

func TestAdmitUnknownFieldChanged(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	obj := deployment("owner", carries(sampledContext(1), 0))
	withField := func(v string) []byte {
		return []byte(strings.Replace(string(marshal(t, obj)), `"spec":{`, `"spec":{"unknown":"`+v+`",`, 1))
	}
	req := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Update}}
	req.OldObject.Raw, req.Object.Raw = withField("a"), withField("b")
	d := WrapDefaulter[*appsv1.Deployment](nil, WithTracerProvider(tp))
	if err := d.Default(admission.NewContextWithRequest(t.Context(), req), obj.DeepCopy()); err != nil || len(tp.Spans()) != 1 {
		t.Errorf("spans %v, error %v, want one span", spanNames(tp.Spans()), err)
	}
}

func TestAdmitDryRun(t *testing.T) {
	last := sampledContext(1)
	changed := deployment("owner", carries(last, 0), func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(7)) })
	user := tracingtest.NewTracerProvider(tracingtest.WithSampler(tracingtest.ParentBased(nil)))
	inner := defaulterFunc(func(ctx context.Context, _ *appsv1.Deployment) error {
		_, span := user.Tracer("user").Start(ctx, "step")
		span.End()
		return nil
	})
	for name, tc := range map[string]admitCase{
		"create": {obj: submitted(), dryRun: true, inner: inner},
		"update": {old: deployment("owner", carries(last, 0)), obj: changed, dryRun: true, inner: inner},
	} {
		t.Run(name, func(t *testing.T) {
			got := tc.run(t)
			sc := got.stored().sc
			if len(got.spans) != 0 || len(user.Spans()) != 0 || !sc.IsValid() || sc.IsSampled() || sc.TraceID() == last.TraceID() {
				t.Errorf("spans %v and %v, context %v, want none and a random unsampled one", spanNames(got.spans), spanNames(user.Spans()), sc)
			}
		})
	}
}
