package tracing

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// idle is a client that does nothing, so that only the wrapper's allocations count.
type idle struct{ client.Client }

func (idle) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return nil
}
func (idle) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }
func (idle) Create(context.Context, client.Object, ...client.CreateOption) error { return nil }
func (idle) Update(context.Context, client.Object, ...client.UpdateOption) error { return nil }
func (idle) Delete(context.Context, client.Object, ...client.DeleteOption) error { return nil }
func (idle) Status() client.SubResourceWriter                                    { return nil }
func (idle) SubResource(string) client.SubResourceClient                         { return nil }
func (idle) Scheme() *runtime.Scheme                                             { return runtime.NewScheme() }
func (idle) DeleteAllOf(context.Context, client.Object, ...client.DeleteAllOfOption) error {
	return nil
}
func (idle) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	return nil
}
func (idle) Apply(context.Context, runtime.ApplyConfiguration, ...client.ApplyOption) error {
	return nil
}

// idleQueue is a queue that always returns the same request.
type idleQueue struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func (idleQueue) Add(reconcile.Request)                     {}
func (idleQueue) AddAfter(reconcile.Request, time.Duration) {}
func (idleQueue) AddRateLimited(reconcile.Request)          {}
func (idleQueue) Get() (reconcile.Request, bool)            { return reconcile.Request{}, false }
func (idleQueue) Done(reconcile.Request)                    {}
func (idleQueue) NumRequeues(reconcile.Request) int         { return 0 }

type idleLimiter struct {
	workqueue.TypedRateLimiter[reconcile.Request]
}

func (idleLimiter) When(reconcile.Request) time.Duration { return 0 }

var idleFunc = reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) { return reconcile.Result{}, nil })

type idleDefaulter struct{}

func (idleDefaulter) Default(context.Context, *appsv1.Deployment) error { return nil }

func TestOffAllocatesNothing(t *testing.T) {
	ctx := t.Context()
	obj := deployment("owner", carries(sampledContext(1), 0))
	req := requestFor(obj)
	list := &appsv1.DeploymentList{}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{}`))
	for name, opts := range map[string][]Option{
		"unset global": nil,
		"no-op":        {WithTracerProvider(noop.NewTracerProvider())},
	} {
		c := WrapClient(idle{}, opts...)
		r := WrapReconciler(obj, idleFunc, opts...)
		o := WrapObjectReconciler[*appsv1.Deployment](idleReconciler{}, opts...)
		d := WrapDefaulter[*appsv1.Deployment](idleDefaulter{}, opts...)
		admit := admission.NewContextWithRequest(ctx, admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create}})
		raw, allows := WrapAdmissionHandler(admission.HandlerFunc(allow), opts...), WrapAdmissionHandler(nil, opts...)
		create := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Create}}
		webhook := WebhookContext(opts...)
		transport := WrapTransport(opts...)(roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil }))
		request := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1", nil)
		q := NewQueueObserver(obj, opts...)
		wq := q.decorate(idleQueue{})
		limiter := q.WrapRateLimiter(idleLimiter{})
		p := q.Predicate()
		h := WrapEventHandler(q, handler.TypedEventHandler[client.Object, reconcile.Request](handler.Funcs{}))
		queued := WrapReconciler(obj, idleFunc, append([]Option{WithQueueObserver(q)}, opts...)...)
		for what, f := range map[string]func(){
			"Get":                func() { _ = c.Get(ctx, client.ObjectKey{}, obj) },
			"List":               func() { _ = c.List(ctx, list) },
			"Create":             func() { _ = c.Create(ctx, obj) },
			"Update":             func() { _ = c.Update(ctx, obj) },
			"Patch":              func() { _ = c.Patch(ctx, obj, patch) },
			"Apply":              func() { _ = c.Apply(ctx, nil) },
			"Delete":             func() { _ = c.Delete(ctx, obj) },
			"DeleteAllOf":        func() { _ = c.DeleteAllOf(ctx, obj) },
			"Status":             func() { c.Status() },
			"SubResource":        func() { c.SubResource("scale") },
			"Reconcile":          func() { _, _ = r.Reconcile(ctx, reconcile.Request{}) },
			"Reconcile (object)": func() { _, _ = o.Reconcile(ctx, obj) },
			"Default":            func() { _ = d.Default(admit, obj) },
			"Handle":             func() { raw.Handle(ctx, create) },
			"Handle (nil)":       func() { allows.Handle(ctx, create) },
			"Queue":              func() { wq.Add(req); wq.AddAfter(req, 1); wq.AddRateLimited(req); wq.Get(); wq.Done(req) },
			"RateLimiter":        func() { limiter.When(req) },
			"Predicate":          func() { p.Update(event.UpdateEvent{ObjectOld: obj, ObjectNew: obj}) },
			"EventHandler":       func() { h.Update(ctx, event.UpdateEvent{ObjectOld: obj, ObjectNew: obj}, wq) },
			"Reconcile (queued)": func() { _, _ = queued.Reconcile(ctx, req) },
			"WebhookContext":     func() { webhook(ctx, nil) },
			"RoundTrip":          func() { _, _ = transport.RoundTrip(request) }, //nolint:bodyclose // there is no body
			"InjectContext":      func() { InjectContext(ctx, obj, opts...) },
			"ExtractContext":     func() { ExtractContext(ctx, obj, opts...) },
		} {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%s: %s allocates %v times, want 0", name, what, n)
			}
		}
	}
}

type idleReconciler struct{}

func (idleReconciler) Reconcile(context.Context, *appsv1.Deployment) (reconcile.Result, error) {
	return reconcile.Result{}, nil
}

// TestOffLeavesAnnotations: while tracing is off, annotations are neither added nor changed.
func TestOffLeavesAnnotations(t *testing.T) {
	obj := deployment("owner", carries(sampledContext(1), 0))
	want := obj.DeepCopy()
	want.ResourceVersion = "1"
	c := WrapClient(newFakeServer(t))
	if err := c.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	if got := obj.Annotations[parentKey]; got != want.Annotations[parentKey] || len(obj.Annotations) != len(want.Annotations) {
		t.Errorf("annotations %v, want %v", obj.Annotations, want.Annotations)
	}
}
