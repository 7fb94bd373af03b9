package tracing

import (
	"context"
	"errors"
	"maps"
	"testing"

	"go.opentelemetry.io/otel/trace"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

const ownUser = "system:serviceaccount:operator:itself"

// TestOwnWrites: the operator's own requests keep their annotations, and have a span only in a
// trace that the operator started.
func TestOwnWrites(t *testing.T) {
	t.Parallel()
	registerIdentity(ownUser, "")
	given, header := sampledContext(5), sampledContext(6)
	old := deployment("owner", carries(sampledContext(1), 0))
	scaled := func(edit ...func(*appsv1.Deployment)) *appsv1.Deployment {
		return edited(old, append(edit, func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(7)) })...)
	}
	none := trace.SpanContext{}
	refuses := defaulterFunc(func(context.Context, *appsv1.Deployment) error { return errBroken })
	for name, tc := range map[string]struct {
		admitCase
		parent trace.SpanContext // zero for no span
	}{
		"create with a context":          {admitCase{obj: submitted(bears(given))}, given},
		"create with a header":           {admitCase{obj: submitted(), header: header}, header},
		"create with a header, refused":  {admitCase{obj: submitted(), header: header, inner: refuses}, header},
		"create with a header, dry run":  {admitCase{obj: submitted(), header: header, dryRun: true}, none},
		"update":                         {admitCase{old: old, obj: scaled()}, none},
		"update with a context":          {admitCase{old: old, obj: scaled(bears(given))}, given},
		"update with a header":           {admitCase{old: old, obj: scaled(), header: header}, header},
		"update without annotations":     {admitCase{old: old, obj: scaled(func(d *appsv1.Deployment) { d.Annotations = nil })}, none},
		"update of the annotations":      {admitCase{old: old, obj: edited(old, bears(given))}, none},
		"update of a label and a header": {admitCase{old: old, obj: edited(old, func(d *appsv1.Deployment) { d.Labels = map[string]string{"a": "b"} }), header: header}, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.user = ownUser
			got := tc.run(t)
			if !maps.Equal(got.obj.Annotations, tc.obj.Annotations) {
				t.Errorf("annotations %v, want %v", got.obj.Annotations, tc.obj.Annotations)
			}
			if !tc.parent.IsValid() {
				if len(got.spans) != 0 {
					t.Errorf("spans %v, want none", spanNames(got.spans))
				}
				return
			}
			isChildOf(t, spanNamed(t, got.spans, "admit Deployment"), tc.parent)
		})
	}
	if isOwnIdentity("") || isOwnIdentity("alice") {
		t.Error("isOwnIdentity is true for a user that was not registered")
	}
}

// TestOwnCreate: a create under the operator's user name is the operator's if this process is
// sending it. A user with the same name, for example on a developer's machine, starts a trace.
func TestOwnCreate(t *testing.T) {
	t.Parallel()
	registerIdentity(ownUser)
	tp := tracingtest.NewTracerProvider()
	var stored *appsv1.Deployment
	server := interceptor.NewClient(newFakeServer(t), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			stored = obj.DeepCopyObject().(*appsv1.Deployment)
			err := WrapDefaulter[*appsv1.Deployment](nil, WithTracerProvider(tp)).Default(admission.NewContextWithRequest(t.Context(), ownCreate()), stored)
			return errors.Join(err, c.Create(ctx, stored, opts...))
		},
	})
	c := WrapClient(server, WithTracerProvider(tp))
	for _, edit := range []func(*appsv1.Deployment){func(*appsv1.Deployment) {}, func(d *appsv1.Deployment) { d.Name, d.GenerateName = "", "owner-" }} {
		tp.Reset()
		obj := submitted(edit)
		if obj.Name == "" {
			obj.UID = ""
		}
		_ = c.Create(t.Context(), obj)
		isChildOf(t, spanNamed(t, tp.Spans(), "admit Deployment"), spanNamed(t, tp.Spans(), "create Deployment").Context)
		if !maps.Equal(stored.Annotations, submitted().Annotations) {
			t.Errorf("the operator's create was answered with annotations %v", stored.Annotations)
		}
	}
	tp.Reset()
	obj := submitted()
	if err := WrapDefaulter[*appsv1.Deployment](nil, WithTracerProvider(tp)).Default(admission.NewContextWithRequest(t.Context(), ownCreate()), obj); err != nil {
		t.Fatal(err)
	}
	if _, ok := newConfig(nil).extractFrom(obj.Annotations); !ok || len(tp.Spans()) != 1 {
		t.Errorf("annotations %v, spans %v, want a context and its span", obj.Annotations, spanNames(tp.Spans()))
	}
}

func ownCreate() admission.Request {
	return admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Create, Namespace: "ns", Kind: metav1.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		UserInfo: authenticationv1.UserInfo{Username: ownUser},
	}}
}

// pointerDefaulter reads its own field, so that a nil pointer panics when it is called.
type pointerDefaulter struct{ replicas int32 }

func (p *pointerDefaulter) Default(_ context.Context, d *appsv1.Deployment) error {
	d.Spec.Replicas = new(p.replicas)
	return nil
}

// TestAdmitNilDefaulter: a nil pointer sets no defaults, with tracing on or off.
func TestAdmitNilDefaulter(t *testing.T) {
	t.Parallel()
	var none *pointerDefaulter
	for name, opts := range map[string][]Option{"off": nil, "on": {WithTracerProvider(tracingtest.NewTracerProvider())}} {
		obj := submitted()
		if err := WrapDefaulter(none, opts...).Default(t.Context(), obj); err != nil || *obj.Spec.Replicas != 3 {
			t.Errorf("%s: error %v, replicas %d", name, err, *obj.Spec.Replicas)
		}
	}
}

// TestAdmitWrappedTwice: only the outer wrapper creates a span and writes the annotations.
func TestAdmitWrappedTwice(t *testing.T) {
	t.Parallel()
	inner := WrapDefaulter(defaulterFunc(func(context.Context, *appsv1.Deployment) error { return nil }), WithTracerProvider(tracingtest.NewTracerProvider()))
	old := deployment("owner", carries(sampledContext(1), 0))
	scaled := edited(old, func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(7)) })
	for name, tc := range map[string]admitCase{"create": {obj: submitted()}, "update": {old: old, obj: scaled}} {
		tc.inner = inner.Default
		got := tc.run(t)
		if s := spanNamed(t, got.spans, "admit Deployment"); len(got.spans) != 1 || got.stored().sc.SpanID() != s.Context.SpanID() {
			t.Errorf("%s: spans %v, annotations %v", name, spanNames(got.spans), got.obj.Annotations)
		}
	}
}
