package tracing

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// process is an operator with two controllers in one process, for the Deployments "owner" and
// "child". The test calls their reconcilers directly, and sets the time.
type process struct {
	t        *testing.T
	recorder *tracingtest.TracerProvider
	opts     []Option
	client   client.Client
	now      time.Time
}

func newProcess(t *testing.T, server client.Client) *process {
	p := &process{t: t, recorder: tracingtest.NewTracerProvider(), now: time.Now()}
	clock := optionFunc(func(c *config) { c.now = func() time.Time { return p.now } })
	p.opts = []Option{WithTracerProvider(p.recorder), clock}
	p.client = WrapClient(server, p.opts...)
	return p
}

// reconcile runs f as the reconciler of a Deployment, after reading it. If there is a trigger, its
// event passes a queue.
func (p *process) reconcile(name string, trigger client.Object, f func(context.Context, *appsv1.Deployment) error) {
	p.t.Helper()
	r := reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		var d appsv1.Deployment
		if err := p.client.Get(ctx, req.NamespacedName, &d); err != nil {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, f(ctx, &d)
	})
	opts, req := p.opts, requestFor(deployment(name))
	if trigger != nil {
		q := NewTypedQueueObserver(func(client.Object) []reconcile.Request { return []reconcile.Request{req} }, p.opts...)
		q.table.open(true)
		q.Predicate().Update(event.UpdateEvent{ObjectOld: trigger, ObjectNew: trigger})
		q.table.add(req, 0, false, p.now)
		q.table.take(req, 1, p.now)
		opts = append(opts, WithQueueObserver(q))
	}
	_, _ = WrapReconciler(&appsv1.Deployment{}, r, opts...).Reconcile(p.t.Context(), req)
}

func (p *process) matches(name, tree string) {
	p.t.Helper()
	want, err := spantree.Parse(name, tree)
	if err != nil {
		p.t.Fatal(err)
	}
	if result := spantree.Match(want, spantree.Build(p.recorder.Spantree("demo"))); !result.OK() {
		p.t.Error(result.Explain())
	}
}

func (p *process) child() *appsv1.Deployment {
	p.t.Helper()
	var d appsv1.Deployment
	if err := p.client.Get(p.t.Context(), types.NamespacedName{Namespace: "ns", Name: "child"}, &d); err != nil {
		p.t.Fatal(err)
	}
	return &d
}

// TestOneTraceInOneProcess: a reconcile is a child of the write in the same process that caused it,
// without a context on any object.
func TestOneTraceInOneProcess(t *testing.T) {
	t.Parallel()
	p := newProcess(t, newFakeServer(t, deployment("owner")))
	p.reconcile("owner", nil, func(ctx context.Context, _ *appsv1.Deployment) error {
		return p.client.Create(ctx, deployment("child"))
	})
	p.reconcile("child", nil, func(ctx context.Context, d *appsv1.Deployment) error {
		d.Spec.Paused = true // the operator's own first update of the object
		return p.client.Update(ctx, d)
	})
	p.reconcile("child", nil, func(ctx context.Context, d *appsv1.Deployment) error {
		return p.client.Create(ctx, configMap("child"))
	})
	p.reconcile("owner", nil, func(ctx context.Context, _ *appsv1.Deployment) error {
		child := p.child()
		child.Spec.Replicas = new(int32(7))
		return p.client.Update(ctx, child)
	})
	p.reconcile("child", p.child(), func(ctx context.Context, d *appsv1.Deployment) error {
		return p.client.Create(ctx, configMap("later"))
	})
	if annotations := p.child().Annotations; len(annotations) != 0 {
		t.Errorf("child has annotations %v, want none", annotations)
	}
	p.matches("one trace", `
reconcile Deployment [operator.object.name=owner]
  create Deployment [PRODUCER operator.object.name=child]
    reconcile Deployment [operator.object.generation=1]
      update Deployment [CLIENT operator.object.generation=2]
        reconcile Deployment [operator.object.generation=2]
          create ConfigMap
reconcile Deployment [operator.object.name=owner]
  update Deployment [CLIENT operator.object.generation=3]
    reconcile Deployment [operator.object.generation=3 operator.reconcile.cause.kind=Deployment operator.reconcile.cause.name=child operator.reconcile.cause.resource_version operator.reconcile.cause.span_id]
      create ConfigMap
`)
}

// TestTwoProcesses: another process continues in the trace of the generation. The write has a link
// to that trace.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)), deployment("child"))
	a, b := newProcess(t, server), newProcess(t, server)
	a.reconcile("owner", nil, func(ctx context.Context, _ *appsv1.Deployment) error {
		child := a.child()
		child.Spec.Paused = true
		return a.client.Update(ctx, child)
	})
	b.reconcile("child", nil, func(ctx context.Context, _ *appsv1.Deployment) error { return b.client.Create(ctx, configMap("x")) })
	written := spanNamed(t, a.recorder.Spans(), "update Deployment")
	reconciled := spanNamed(t, b.recorder.Spans(), "reconcile Deployment")
	if len(written.Links) != 1 || written.Links[0].SpanContext.TraceID() != reconciled.Context.TraceID() {
		t.Errorf("the write has links %v, want one to the trace %s", written.Links, reconciled.Context.TraceID())
	}
	if !written.Links[0].SpanContext.IsValid() || reconciled.Parent.SpanID().IsValid() {
		t.Errorf("the link is %v, the reconcile's parent %v", written.Links[0].SpanContext, reconciled.Parent)
	}
}

// TestReconcileBeforeTheResponse: the watch can be faster than the response to the write.
func TestReconcileBeforeTheResponse(t *testing.T) {
	t.Parallel()
	var p *process
	server := interceptor.NewClient(newFakeServer(t, deployment("owner")), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			err := c.Create(ctx, obj, opts...)
			if obj.GetName() == "child" {
				p.reconcile("child", nil, func(ctx context.Context, _ *appsv1.Deployment) error { return p.client.Create(ctx, configMap("x")) })
			}
			return err
		},
	})
	p = newProcess(t, server)
	p.reconcile("owner", nil, func(ctx context.Context, _ *appsv1.Deployment) error {
		return p.client.Create(ctx, deployment("child"))
	})
	p.matches("fast watch", `
reconcile Deployment [operator.object.name=owner]
  create Deployment
    reconcile Deployment [operator.object.name=child]
      create ConfigMap
`)
}

// TestStaleRead: a read of an older version than the operator wrote is an event of the reconcile,
// and starts no span.
func TestStaleRead(t *testing.T) {
	t.Parallel()
	stale := false
	server := interceptor.NewClient(newFakeServer(t, deployment("owner"), deployment("child")), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, obj, opts...)
			if stale && key.Name == "child" {
				obj.SetResourceVersion("1")
			}
			return err
		},
	})
	p := newProcess(t, server)
	p.reconcile("owner", nil, func(ctx context.Context, _ *appsv1.Deployment) error {
		child := p.child()
		child.Spec.Paused = true
		return p.client.Update(ctx, child)
	})
	p.recorder.Reset()
	stale = true
	read := func(ctx context.Context) error {
		return p.client.Get(ctx, types.NamespacedName{Namespace: "ns", Name: "child"}, &appsv1.Deployment{})
	}
	p.reconcile("owner", nil, func(ctx context.Context, _ *appsv1.Deployment) error { return read(ctx) })
	if spans := p.recorder.Spans(); len(spans) != 0 {
		t.Fatalf("spans %v, want none for a reconcile that only reads", spanNames(spans))
	}
	p.reconcile("owner", nil, func(ctx context.Context, _ *appsv1.Deployment) error {
		if err := read(ctx); err != nil {
			return err
		}
		return p.client.Create(ctx, configMap("x"))
	})
	s := spanNamed(t, p.recorder.Spans(), "reconcile Deployment")
	if len(s.Events) != 1 || s.Events[0].Name != "stale_read" {
		t.Fatalf("events %v, want a stale_read", s.Events)
	}
	for _, a := range s.Events[0].Attributes {
		if a.Key == ReadVersionKey && a.Value.AsString() != "1" {
			t.Errorf("%s = %s, want 1", a.Key, a.Value.AsString())
		}
	}
}

// TestUnchangedWrites: the span of a write that changes nothing has an attribute. Patches and
// repeated applies do not start a span on their own.
func TestUnchangedWrites(t *testing.T) {
	t.Parallel()
	keep := func(ctx context.Context, c client.WithWatch, obj client.Object) error {
		return c.Get(ctx, client.ObjectKeyFromObject(obj), obj)
	}
	bumped := false
	server := interceptor.NewClient(newFakeServer(t, deployment("owner")), interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, _ ...client.UpdateOption) error {
			return keep(ctx, c, obj)
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, _ client.Patch, _ ...client.PatchOption) error {
			err := keep(ctx, c, obj)
			if bumped { // another writer changed the status
				obj.SetResourceVersion("1000000")
				obj.SetManagedFields([]metav1.ManagedFieldsEntry{
					{Time: new(metav1.NewTime(time.Now().Add(-time.Minute)))}, {Time: new(metav1.Now()), Subresource: "status"},
				})
			}
			return err
		},
	})
	p := newProcess(t, server)
	bumped = true
	p.reconcile("owner", nil, func(ctx context.Context, d *appsv1.Deployment) error { return p.client.Patch(ctx, d, client.Merge) })
	if spans := p.recorder.Spans(); len(spans) != 0 {
		t.Errorf("a patch of an object whose status changed: spans %v, want none", spanNames(spans))
	}
	bumped = false
	for name, tc := range map[string]struct {
		write func(context.Context, *appsv1.Deployment) error
		want  string
	}{
		"an update": {func(ctx context.Context, d *appsv1.Deployment) error { return p.client.Update(ctx, d) }, `
reconcile Deployment [operator.reconcile.write_intent=none]
  update Deployment [operator.write.unchanged=true]
`},
		"a patch": {func(ctx context.Context, d *appsv1.Deployment) error { return p.client.Patch(ctx, d, client.Merge) }, ""},
		"a patch, and a create": {func(ctx context.Context, d *appsv1.Deployment) error {
			if err := p.client.Patch(ctx, d, client.Merge); err != nil {
				return err
			}
			return p.client.Create(ctx, configMap("x"))
		}, `
reconcile Deployment
  patch Deployment [operator.write.unchanged=true]
  create ConfigMap [!operator.write.unchanged]
`},
	} {
		p.recorder.Reset()
		p.reconcile("owner", nil, tc.write)
		if tc.want == "" {
			if spans := p.recorder.Spans(); len(spans) != 0 {
				t.Errorf("%s: spans %v, want none", name, spanNames(spans))
			}
			continue
		}
		p.matches(name, tc.want)
	}
}

// aDay runs a reconcile in each step of a day. It checks that traces end, and that each is linked
// to the one before.
func aDay(t *testing.T, p *process, step, limit time.Duration, f func(context.Context, *appsv1.Deployment) error) {
	t.Helper()
	begin := p.now
	for ; p.now.Sub(begin) < 24*time.Hour; p.now = p.now.Add(step) {
		p.reconcile("owner", nil, f)
	}
	type span struct{ first, last time.Time }
	traces, order := map[trace.TraceID]*span{}, []trace.TraceID{}
	for _, s := range p.recorder.Spans() {
		id := s.Context.TraceID()
		if s.Name != "reconcile Deployment" {
			continue
		}
		if traces[id] == nil {
			traces[id] = &span{first: s.Start}
			if len(order) > 0 && (len(s.Links) != 1 || s.Links[0].SpanContext.TraceID() != order[len(order)-1]) {
				t.Errorf("the trace that starts at %s has links %v, want one to the trace before", s.Start.Sub(begin), s.Links)
			}
			order = append(order, id)
		}
		traces[id].last = s.Start
	}
	for id, at := range traces {
		if age := at.last.Sub(at.first); age > limit {
			t.Errorf("trace %s lasts %s, want at most %s", id, age, limit)
		}
	}
	if len(order) < int(24*time.Hour/limit)-1 {
		t.Errorf("%d traces in a day, want more", len(order))
	}
}

// TestTracesEnd: an object that is reconciled on a schedule or always fails gets no endless trace,
// with or without a context.
func TestTracesEnd(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*appsv1.Deployment){
		"with a context": carries(sampledContext(1), 0), "without": func(*appsv1.Deployment) {},
	} {
		t.Run("failures "+name, func(t *testing.T) {
			t.Parallel()
			p := newProcess(t, newFakeServer(t, deployment("owner", edit)))
			aDay(t, p, 16*time.Minute, time.Hour, func(context.Context, *appsv1.Deployment) error { return fmt.Errorf("no such repository") })
		})
		t.Run("a schedule "+name, func(t *testing.T) {
			t.Parallel()
			ready := func(d *appsv1.Deployment) { setReady(d, corev1.ConditionTrue, time.Now()) }
			p, n := newProcess(t, newFakeServer(t, deployment("owner", edit, ready))), 0
			aDay(t, p, 5*time.Minute, 10*time.Minute, func(ctx context.Context, _ *appsv1.Deployment) error {
				n++
				return p.client.Create(ctx, configMap(strconv.Itoa(n)))
			})
		})
	}
}

// TestStaleReconcileJoinsItsTrigger: the change of a fresh child stays in the child's trace,
// including the owner's reconcile that it triggers.
func TestStaleReconcileJoinsItsTrigger(t *testing.T) {
	t.Parallel()
	p := newProcess(t, newFakeServer(t, deployment("owner", carries(sampledContext(1), 5*time.Hour))))
	p.reconcile("owner", nil, func(ctx context.Context, _ *appsv1.Deployment) error {
		return p.client.Create(ctx, deployment("child"))
	})
	p.reconcile("child", nil, func(ctx context.Context, d *appsv1.Deployment) error {
		return writeReady(ctx, p.client, d, corev1.ConditionTrue)
	})
	p.reconcile("owner", p.child(), func(ctx context.Context, d *appsv1.Deployment) error {
		return writeReady(ctx, p.client, d, corev1.ConditionTrue)
	})
	p.matches("a repair", `
reconcile Deployment [operator.object.name=owner]
  create Deployment
    reconcile Deployment [operator.object.name=child]
      update_status Deployment [operator.object.name=child]
        reconcile Deployment [operator.object.name=owner operator.reconcile.trigger="update Deployment"]
          update_status Deployment [operator.object.name=owner]
`)
	p.recorder.Reset()
	p.now = p.now.Add(2 * time.Hour)
	p.reconcile("owner", p.child(), func(ctx context.Context, _ *appsv1.Deployment) error { return p.client.Create(ctx, configMap("x")) })
	if s := spanNamed(t, p.recorder.Spans(), "reconcile Deployment"); s.Parent.IsValid() || len(s.Links) == 0 {
		t.Errorf("parent %v, links %v, want a root with a link once the trigger is stale, too", s.Parent, s.Links)
	}
}
