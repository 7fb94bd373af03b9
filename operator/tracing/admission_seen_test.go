package tracing

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// call is one call of a webhook in an admission.
type call struct {
	hook func(...Option) admission.Handler
	edit func(*admissionv1.AdmissionRequest) // changes the request before the call, like a conversion or another webhook
}

func asDefaulter(i inner) func(...Option) admission.Handler {
	return func(opts ...Option) admission.Handler {
		return admission.WithDefaulter(scheme.Scheme, WrapDefaulter(i, opts...))
	}
}

func asHandler(i inner) func(...Option) admission.Handler {
	return func(opts ...Option) admission.Handler { return WrapAdmissionHandler(i, opts...) }
}

// admitThrough sends a request through webhooks as the API server does, and returns the object's
// annotations and whether the last webhook allowed it.
func admitThrough(t *testing.T, req admissionv1.AdmissionRequest, calls []call, opts ...Option) (map[string]string, bool) {
	t.Helper()
	allowed := true
	for i, c := range calls {
		req.UID = types.UID(strings.Repeat("x", i+1)) // the API server generates a UID for each call
		if c.edit != nil {
			c.edit(&req)
		}
		r := admission.Request{AdmissionRequest: req}
		resp := c.hook(opts...).Handle(t.Context(), r)
		if err := resp.Complete(r); err != nil {
			t.Fatal(err)
		}
		allowed = resp.Allowed
		req.Object.Raw = marshal(t, applied(t, req.Object.Raw, &resp.AdmissionResponse))
	}
	var obj appsv1.Deployment
	if err := json.Unmarshal(req.Object.Raw, &obj); err != nil {
		t.Fatal(err)
	}
	return obj.Annotations, allowed
}

// TestOneAdmissionIsOneTrace: the API server calls several wrapped webhooks for one request. The
// objects have no managed fields.
func TestOneAdmissionIsOneTrace(t *testing.T) {
	t.Parallel()
	last, users := sampledContext(1), sampledContext(5)
	scale := func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(7)) }
	back := func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(3)) }
	defaulter, handler := asDefaulter(inner{}), asHandler(inner{})
	converted := func(r *admissionv1.AdmissionRequest) {
		r.RequestKind = new(r.Kind)
		r.Kind.Group, r.Kind.Version = "extensions", "v1beta1"
	}
	labelled := func(r *admissionv1.AdmissionRequest) {
		r.Object.Raw = []byte(strings.Replace(string(r.Object.Raw), `"metadata":{`, `"metadata":{"labels":{"other":"product"},`, 1))
	}
	const admit = "admit Deployment"
	for name, tc := range map[string]struct {
		update  bool
		edit    func(*appsv1.Deployment) // of the request's object
		user    string
		dryRun  bool
		calls   []call
		spans   []string
		parent  trace.SpanContext // of the later spans; zero for the first span
		kept    bool              // the old annotations stay
		refused bool
	}{
		"a defaulter per version":     {calls: []call{{hook: defaulter}, {hook: defaulter, edit: converted}}, spans: []string{admit}},
		"handlers":                    {calls: []call{{hook: handler}, {hook: handler, edit: converted}, {hook: handler}}, spans: []string{admit}},
		"both":                        {calls: []call{{hook: handler}, {hook: defaulter}}, spans: []string{admit}},
		"reinvocation":                {calls: []call{{hook: defaulter}, {hook: defaulter, edit: labelled}}, spans: []string{admit}},
		"the user's context":          {edit: bears(users), calls: []call{{hook: defaulter}, {hook: handler}}, spans: []string{admit}},
		"the user's own origin":       {edit: withOrigin(users, 0, submittedAt), calls: []call{{hook: defaulter}, {hook: handler}}, spans: []string{admit}},
		"a trusted writer":            {user: operatorUser, calls: []call{{hook: defaulter}, {hook: handler}}, spans: []string{admit}},
		"a trusted writer's context":  {user: operatorUser, edit: withOrigin(users, 0, submittedAt), calls: []call{{hook: defaulter}, {hook: handler}}, spans: []string{admit, admit}, parent: users},
		"dry run":                     {dryRun: true, calls: []call{{hook: defaulter}, {hook: handler}}},
		"update":                      {update: true, edit: scale, calls: []call{{hook: defaulter}, {hook: handler, edit: converted}}, spans: []string{admit}},
		"update by the second":        {update: true, calls: []call{{hook: defaulter}, {hook: asHandler(inner{mutate: scale})}, {hook: defaulter}}, spans: []string{admit}},
		"update, reverted by another": {update: true, edit: scale, calls: []call{{hook: defaulter}, {hook: asHandler(inner{mutate: back})}}, spans: []string{admit}, kept: true},
		"trusted, reverted":           {user: operatorUser, update: true, edit: scale, calls: []call{{hook: defaulter}, {hook: asHandler(inner{mutate: back})}}, spans: []string{admit}, kept: true},
		"the second denies":           {calls: []call{{hook: defaulter}, {hook: asDefaulter(inner{refuses: errForbidden})}}, spans: []string{admit, admit}, refused: true},
		"the second fails":            {update: true, edit: scale, calls: []call{{hook: handler}, {hook: asHandler(inner{refuses: errBroken})}}, spans: []string{admit, admit}, refused: true},
		"no change of the spec":       {update: true, calls: []call{{hook: handler}, {hook: defaulter}}, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tp := tracingtest.NewTracerProvider()
			var old *appsv1.Deployment
			obj := submitted()
			if tc.update {
				old = submitted(func(d *appsv1.Deployment) { d.Generation = 1 }, withOrigin(last, 0, submittedAt))
				obj = old.DeepCopy()
			}
			if tc.edit != nil {
				tc.edit(obj)
			}
			got, allowed := admitThrough(t, reviewOf(t, old, obj, tc.user, tc.dryRun), tc.calls, WithTracerProvider(tp), WithTrustedWriters(operatorUser))
			spans := tp.Spans()
			if names := spanNames(spans); !slices.Equal(names, tc.spans) || allowed == tc.refused {
				t.Fatalf("allowed %t, spans %v, want %v", allowed, names, tc.spans)
			}
			for _, s := range spans[min(1, len(spans)):] {
				if want := tc.parent; want.IsValid() {
					isChildOf(t, s, want)
					continue
				}
				isChildOf(t, s, spans[0].Context)
			}
			stored, _ := newConfig(nil).extractFrom(got)
			switch {
			case tc.kept && !maps.Equal(got, old.Annotations):
				t.Errorf("annotations %v, want the old ones %v", got, old.Annotations)
			case !tc.kept && !tc.dryRun && stored.sc.TraceID() != spans[0].Context.TraceID():
				t.Errorf("the object carries trace %s, want %s", stored.sc.TraceID(), spans[0].Context.TraceID())
			}
		})
	}
}

// TestContextOfAnotherAdmission: a context that a user copied from this process is untrusted,
// except in the admission that the process created it for.
func TestContextOfAnotherAdmission(t *testing.T) {
	t.Parallel()
	at := func(second int64) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			d.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", Time: new(metav1.Unix(second, 0))}}
		}
	}
	renamed := func(d *appsv1.Deployment) { d.Name = "copy" }
	for name, tc := range map[string]struct {
		user  string
		edit  func(*appsv1.Deployment)
		later time.Duration
		links int
	}{
		"the same":            {"alice", nil, 0, 0},
		"in time":             {"alice", nil, maxAdmission - 1, 0},
		"another user":        {"mallory", nil, 0, 1},
		"another object":      {"alice", renamed, 0, 1},
		"created again":       {"alice", at(2), 0, 1},
		"after the admission": {"alice", nil, maxAdmission, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tp, now := tracingtest.NewTracerProvider(), time.Now()
			opts := []Option{WithTracerProvider(tp), optionFunc(func(c *config) { c.now = func() time.Time { return now } })}
			hook := []call{{hook: asHandler(inner{})}}
			obj := submitted(at(1))
			obj.Annotations, _ = admitThrough(t, reviewOf(t, nil, obj, "alice", false), hook, opts...)
			if now = now.Add(tc.later); tc.edit != nil {
				tc.edit(obj)
			}
			admitThrough(t, reviewOf(t, nil, obj, tc.user, false), hook, opts...)
			spans := tp.Spans()
			if tc.links == 0 && len(spans) == 1 {
				return
			}
			if s := spans[len(spans)-1]; len(spans) != tc.links+1 || len(s.Links) != 1 || s.Parent.IsValid() {
				t.Errorf("spans %v, the last with links %v, want %d spans in traces of their own", spanNames(spans), s.Links, tc.links+1)
			}
		})
	}
}

// TestSeenAdmissionsAreBounded: only the newest admissions are remembered.
func TestSeenAdmissionsAreBounded(t *testing.T) {
	t.Parallel()
	var s seenAdmissions
	now := time.Now()
	key := func(i int) seenAdmission { return seenAdmission{byte(i), byte(i >> 8), 1} }
	for i := range 3 * maxSeen {
		s.add(key(i), now)
		s.add(key(i), now)
	}
	if len(s.at) != maxSeen || s.has(key(2*maxSeen-1), now) || !s.has(key(2*maxSeen), now) || s.has(key(2*maxSeen), now.Add(maxAdmission)) {
		t.Errorf("remembered %d admissions, want the newest %d", len(s.at), maxSeen)
	}
}
