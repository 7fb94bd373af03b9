package tracing

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestOddResponses: whatever a server says of what it stored, the write succeeds, and a reconcile of the object has a span.
func TestOddResponses(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]func(client.Object){
		"no version":            func(o client.Object) { o.SetResourceVersion("") },
		"no number":             func(o client.Object) { o.SetResourceVersion("a1b2") },
		"a huge version":        func(o client.Object) { o.SetResourceVersion("99999999999999999999") },
		"no UID":                func(o client.Object) { o.SetUID("") },
		"another UID":           func(o client.Object) { o.SetUID("another") },
		"a negative generation": func(o client.Object) { o.SetGeneration(-1) },
		"nothing":               func(o client.Object) { *o.(*appsv1.Deployment) = appsv1.Deployment{} },
	} {
		server := interceptor.NewClient(newFakeServer(t, deployment("owner")), interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
				err := c.Create(ctx, obj, opts...)
				if _, ok := obj.(*appsv1.Deployment); ok {
					odd(obj)
				}
				return err
			},
			Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
				err := c.Update(ctx, obj, opts...)
				odd(obj)
				return err
			},
			Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
				err := c.Patch(ctx, obj, p, opts...)
				odd(obj)
				return err
			},
			SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, obj client.Object, opts ...client.SubResourceUpdateOption) error {
				err := c.SubResource(sub).Update(ctx, obj, opts...)
				odd(obj)
				return err
			},
		})
		p := newProcess(t, server)
		write := func(f func(context.Context, *appsv1.Deployment) error) {
			p.reconcile("owner", nil, func(ctx context.Context, _ *appsv1.Deployment) error {
				var d appsv1.Deployment
				_ = p.client.Get(ctx, types.NamespacedName{Namespace: "ns", Name: "child"}, &d)
				if err := f(ctx, &d); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				return nil
			})
		}
		write(func(ctx context.Context, _ *appsv1.Deployment) error {
			return p.client.Create(ctx, deployment("child"))
		})
		write(func(ctx context.Context, d *appsv1.Deployment) error {
			d.Spec.Paused = true
			return p.client.Update(ctx, d)
		})
		write(func(ctx context.Context, d *appsv1.Deployment) error {
			before := d.DeepCopy()
			d.Spec.Paused = false
			return p.client.Patch(ctx, d, client.MergeFrom(before))
		})
		write(func(ctx context.Context, d *appsv1.Deployment) error { return p.client.Status().Update(ctx, d) })
		p.reconcile("child", p.child(), func(ctx context.Context, _ *appsv1.Deployment) error { return p.client.Create(ctx, configMap("x")) })
		if n := len(p.recorder.Spans()); n != 10 || p.recorder.Unended() != 0 {
			t.Errorf("%s: %d spans %v, %d have not ended", name, n, spanNames(p.recorder.Spans()), p.recorder.Unended())
		}
	}
}

// TestReplacedObject: what is known of an object says nothing of the next one of its name, which an apply creates.
func TestReplacedObject(t *testing.T) {
	t.Parallel()
	n := 0
	server := interceptor.NewClient(newFakeServer(t, deployment("owner")), interceptor.Funcs{
		Patch: func(_ context.Context, _ client.WithWatch, obj client.Object, _ client.Patch, _ ...client.PatchOption) error {
			n++
			obj.SetUID(types.UID([]string{"", "first", "first", "second"}[n]))
			obj.SetResourceVersion([]string{"", "10", "11", "20"}[n])
			obj.SetGeneration([]int64{0, 1, 2, 1}[n])
			return nil
		},
	})
	p := newProcess(t, server)
	for range 3 {
		p.reconcile("owner", nil, func(ctx context.Context, _ *appsv1.Deployment) error {
			return p.client.Patch(ctx, &appsv1.Deployment{ObjectMeta: deployment("child").ObjectMeta, Spec: appsv1.DeploymentSpec{Paused: n == 1}},
				client.RawPatch(types.ApplyPatchType, []byte("{}")), client.FieldOwner("o"))
		})
	}
	w, ok := p.client.(*tracedWatcher).cfg.causes.generation("second", 1)
	if !ok || w.version != 20 {
		t.Fatalf("generation(second, 1) = %v, %t, want the last apply", w, ok)
	}
	var s tracingtest.Span
	for _, s = range p.recorder.Spans() {
		if s.Context.SpanID() == w.span.SpanID() {
			break
		}
	}
	if len(s.Links) != 1 || s.Links[0].SpanContext.TraceID() != generationTrace("second", 1).TraceID() {
		t.Errorf("the links of %s are %v, want the trace of the generation", s.Name, s.Links)
	}
}

type ownKey struct{ name string }

// TestOwnLoggers: values that an operator keeps in the context are what it put there, loggers too.
func TestOwnLoggers(t *testing.T) {
	t.Parallel()
	lines, other := &logLines{}, &logLines{}
	ctx := log.IntoContext(t.Context(), lines.logger())
	ctx = context.WithValue(ctx, ownKey{"slog"}, slog.Default())
	ctx = context.WithValue(ctx, ownKey{"logr"}, other.logger())
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
		if got, ok := ctx.Value(ownKey{"slog"}).(*slog.Logger); !ok || got != slog.Default() {
			t.Errorf("slog's logger became a %T", ctx.Value(ownKey{"slog"}))
		}
		ctx.Value(ownKey{"logr"}).(logr.Logger).Info("audit")
		log.FromContext(ctx).Info("line")
		logr.FromContextAsSlogLogger(ctx).Info("line")
		return reconcile.Result{}, nil
	}), WithTracerProvider(tracingtest.NewTracerProvider()))
	if _, err := r.Reconcile(ctx, requestFor(deployment("owner"))); err != nil {
		t.Fatal(err)
	}
	if len(other.lines) != 1 || len(lines.lines) != 2 {
		t.Errorf("the operator's own logger has %q, the context's %q", other.lines, lines.lines)
	}
}

// TestNilContexts: without a context nothing is known of a reconcile or a request, and the call goes through.
func TestNilContexts(t *testing.T) {
	t.Parallel()
	var none context.Context
	opts := []Option{WithTracerProvider(tracingtest.NewTracerProvider())}
	c := WrapClient(newFakeServer(t, deployment("owner")), append(opts, WithReads(), WithCreateAnnotation())...)
	owner := deployment("owner")
	for name, err := range map[string]error{
		"get":    c.Get(none, client.ObjectKeyFromObject(owner), owner),
		"list":   c.List(none, &corev1.ConfigMapList{}),
		"create": c.Create(none, configMap("new")),
		"update": c.Update(none, owner),
		"status": c.Status().Update(none, owner),
		"delete": c.Delete(none, configMap("new")),
		"reconcile": second(WrapReconciler(owner, reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
			return reconcile.Result{}, c.Create(ctx, configMap("other"))
		}), opts...).Reconcile(none, requestFor(owner))),
		"default": WrapDefaulter(admission.Defaulter[*appsv1.Deployment](scaler{}), opts...).Default(none, owner),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	request := admission.Request{AdmissionRequest: reviewOf(t, nil, submitted(), "alice", false)}
	if resp := WrapAdmissionHandler(nil, opts...).Handle(none, request); !resp.Allowed {
		t.Errorf("response %v", resp)
	}
	InjectContext(none, owner, opts...)
	Logger(none).V(1).Info("a line")
	_, extracted := ExtractContext(none, owner, opts...)
	if got := WebhookContext(opts...)(none, &http.Request{Header: http.Header{"Traceparent": {w3cParent}}}); got != nil || extracted || HasUntrusted(none) || IsUntrusted(none, trace.SpanContext{}) {
		t.Errorf("context %v, extracted %t", got, extracted)
	}
}

type pointerError struct{ message string }

func (e *pointerError) Error() string { return e.message }

// TestNilPointerErrors: an error that is a nil pointer is one, and need not have a message.
func TestNilPointerErrors(t *testing.T) {
	t.Parallel()
	var broken *pointerError
	spans, err := recordReconcile(t, newFakeServer(t, deployment("owner")), nil, func(context.Context, client.Client, *appsv1.Deployment) error {
		return broken
	})
	if !errors.Is(err, broken) || len(spans) != 1 {
		t.Errorf("error %T, spans %v", err, spanNames(spans))
	}
}

func TestCompleteNil(t *testing.T) {
	t.Parallel()
	if err := Complete(nil, &appsv1.Deployment{}, nil); err == nil {
		t.Error("Complete(nil builder) = nil, want an error")
	}
}

// TestForgottenWrite: the reconcile of an object whose write the table has forgotten is a root in the trace to which the write links.
func TestForgottenWrite(t *testing.T) {
	t.Parallel()
	p := newProcess(t, newFakeServer(t, deployment("owner")))
	table := p.client.(*tracedWatcher).cfg.causes
	table.half = 2
	p.reconcile("owner", nil, func(ctx context.Context, _ *appsv1.Deployment) error {
		for _, name := range []string{"child", "b", "c", "d"} {
			if err := p.client.Create(ctx, deployment(name)); err != nil {
				return err
			}
		}
		return nil
	})
	child := p.child()
	if _, ok := table.generation(child.UID, 1); ok {
		t.Fatal("the write is remembered")
	}
	written := spanNamed(t, p.recorder.Spans(), "create Deployment")
	p.recorder.Reset()
	p.reconcile("child", child, func(ctx context.Context, _ *appsv1.Deployment) error { return p.client.Create(ctx, configMap("x")) })
	s := spanNamed(t, p.recorder.Spans(), "reconcile Deployment")
	want := generationTrace(child.UID, 1).TraceID()
	if s.Parent.SpanID().IsValid() || s.Context.TraceID() != want || len(written.Links) != 1 || written.Links[0].SpanContext.TraceID() != want {
		t.Errorf("trace %s and parent %s, want a root in %s; links of the write %v", s.Context.TraceID(), s.Parent.SpanID(), want, written.Links)
	}
}

// TestTwoManagers: two managers of one process, for two clusters, have objects of the same names, one provider, and nothing else in common.
func TestTwoManagers(t *testing.T) {
	t.Parallel()
	first := newManaged(t)
	second := newManaged(t, WithTracerProvider(first.tp))
	both := []*managed{first, second}
	for _, m := range both {
		if err := builder.ControllerManagedBy(m).For(&appsv1.Deployment{}).Complete(m.creator()); err != nil {
			t.Fatal(err)
		}
		m.start(t, 1)
	}
	if first.GetClient() == second.GetClient() {
		t.Error("they have one client")
	}
	for i, m := range both {
		m.cache.update(deployment("owner"))
		first.reconciles(t, i+1)
	}
	if diff := cmp.Diff([]string{"create ConfigMap", "reconcile Deployment", "create ConfigMap", "reconcile Deployment"}, spanNames(first.tp.Spans())); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	for _, m := range both {
		var list corev1.ConfigMapList
		if err := m.server.List(t.Context(), &list); err != nil || len(list.Items) != 1 {
			t.Errorf("%d objects, error %v, want one in each cluster", len(list.Items), err)
		}
	}
	if err := first.Add(second.controller(t)); err != nil {
		t.Error(err)
	}
}

// controller returns a controller that the manager has.
func (m *managed) controller(t *testing.T) manager.Runnable {
	t.Helper()
	c, err := controller.NewUnmanaged("of-both", controller.Options{Reconciler: m.creator(), SkipNameValidation: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Add(c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestNilArguments: other arguments that may be nil.
func TestNilArguments(t *testing.T) {
	t.Parallel()
	if c, err := NewClientFunc(nil)(nil, client.Options{}); c != nil || err == nil {
		t.Errorf("client of no configuration: %v, error %v", c, err)
	}
	if rt := WrapTransport(nil)(nil).(*tracedTransport).inner; rt != http.DefaultTransport {
		t.Errorf("no transport is wrapped as %T", rt)
	}
	for _, q := range []*QueueObserver[reconcile.Request]{NewQueueObserver(nil), NewQueueObserver((*appsv1.Deployment)(nil), nil)} {
		if !q.Predicate().Create(event.CreateEvent{}) {
			t.Error("the predicate refuses")
		}
	}
	m := newManaged(t, nil, WithRequestType[string](nil))
	m.GetWebhookServer().Register("/mutate-nil", (*admission.Webhook)(nil))
	if err := Complete(builder.ControllerManagedBy(m), nil, nil, nil); err == nil {
		t.Error("Complete(nil reconciler) = nil, want an error")
	}
}
