package tracing

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/trace/noop"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

func TestWrapManagerReturnsWhatItCannotWrap(t *testing.T) {
	t.Parallel()
	if got := WrapManager(nil); got != nil {
		t.Errorf("WrapManager(nil) = %v, want nil", got)
	}
	var typed *managed
	if got := WrapManager(typed); got != manager.Manager(typed) {
		t.Errorf("WrapManager(typed nil) = %v, want the same", got)
	}
	m := newManaged(t)
	if got := WrapManager(m.Manager); got != m.Manager {
		t.Error("a wrapped manager is wrapped again")
	}
}

func TestWrapManagerPassesThrough(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	if m.GetClient() != m.GetClient() || m.GetAPIReader() != m.GetAPIReader() || m.GetCache() != m.GetCache() || m.GetWebhookServer() != m.GetWebhookServer() {
		t.Error("getters return different values")
	}
	if m.GetScheme() != m.inner.GetScheme() || m.Elected() != m.inner.Elected() || m.GetConfig() != m.inner.GetConfig() {
		t.Error("the scheme, election channel or config differs from the manager's")
	}
	if err := errors.Join(m.AddHealthzCheck("a", nil), m.AddReadyzCheck("a", nil), m.AddMetricsServerExtraHandler("/a", http.NotFoundHandler())); err != nil {
		t.Error(err)
	}
	if !isOwnIdentity("manager-test") {
		t.Error("the user of the manager's config is not an own identity")
	}
	ran := make(chan bool, 1)
	if err := m.Add(manager.RunnableFunc(func(context.Context) error { ran <- true; return nil })); err != nil {
		t.Fatal(err)
	}
	m.start(t, 0)
	<-ran
}

// TestWrapManagerTracesHandMade: a controller that is created without a builder is traced, with
// each event as trigger, for both queues.
func TestWrapManagerTracesHandMade(t *testing.T) {
	t.Parallel()
	for name, priority := range map[string]bool{"priority queue": true, "rate limiting queue": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManaged(t)
			c, err := controller.New("by-hand", m, controller.Options{Reconciler: m.creator(), UsePriorityQueue: &priority})
			if err != nil {
				t.Fatal(err)
			}
			watchAll(t, m, c)
			m.start(t, 2)
			m.cache.update(deployment("owner"))
			m.reconciles(t, 1)
			m.cache.update(&corev1.Secret{ObjectMeta: deployment("owner").ObjectMeta})
			spans := m.reconciles(t, 2)
			for i, trigger := range []string{"update Deployment", "update Secret"} {
				s := spans[i]
				if s.Name != "reconcile Deployment" || attributeText(s, "operator.reconcile.trigger") != trigger {
					t.Errorf("span %d is %q for %q, want reconcile Deployment for %q", i, s.Name, attributeText(s, "operator.reconcile.trigger"), trigger)
				}
			}
			isChildOf(t, spanNamed(t, m.tp.Spans(), "create ConfigMap"), spans[0].Context)
			if log := strings.Join(m.logged(), "\n"); strings.Count(log, "Tracing the manager") != 1 || !strings.Contains(log, `"controllers"=["by-hand"]`) || strings.Contains(log, "notTraced") {
				t.Errorf("unexpected log:\n%s", log)
			}
		})
	}
}

func TestWrapManagerRequestTypes(t *testing.T) {
	t.Parallel()
	key := func(name string) types.NamespacedName { return types.NamespacedName{Name: name} }
	for name, tc := range map[string]struct {
		opts []Option
		want string // in the log
		span bool
	}{
		"unknown": {want: `"notTraced"=["controller strings: unknown request type, its reconciler is a reconcile.TypedReconciler[string]; use WithRequestType"]`},
		"known":   {opts: []Option{WithRequestType(key)}, want: `"controllers"=["strings"]`, span: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManaged(t, tc.opts...)
			ran := make(chan bool, 1)
			create := m.creator()
			c, err := controller.NewTyped("strings", m, controller.TypedOptions[string]{Reconciler: reconcile.TypedFunc[string](func(ctx context.Context, name string) (reconcile.Result, error) {
				defer func() { ran <- true }()
				return create.Reconcile(ctx, reconcile.Request{NamespacedName: key(name)})
			})})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Watch(source.TypedFunc[string](func(_ context.Context, q workqueue.TypedRateLimitingInterface[string]) error {
				q.Add("x")
				return nil
			})); err != nil {
				t.Fatal(err)
			}
			m.start(t, 0)
			<-ran
			if tc.span {
				if s := m.reconciles(t, 1)[0]; attributeText(s, "operator.object.name") != "x" || s.Name != "reconcile" {
					t.Errorf("span %+v", s)
				}
			} else if _, ok := c.(interface{ GetLogger() logr.Logger }); !ok {
				t.Error("a controller without a logger is not recognised")
			}
			if log := strings.Join(m.logged(), "\n"); !strings.Contains(log, tc.want) {
				t.Errorf("%s is missing in the log:\n%s", tc.want, log)
			}
		})
	}
}

func TestWrapManagerKeepsExplicitWrapper(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	explicit := WrapReconciler(&appsv1.Deployment{}, m.creator(), WithTracerProvider(m.tp))
	c, err := controller.New("explicit", m, controller.Options{Reconciler: explicit})
	if err != nil {
		t.Fatal(err)
	}
	watchAll(t, m, c)
	m.start(t, 2)
	m.cache.update(deployment("owner"))
	if spans := m.reconciles(t, 1); len(spans) != 1 {
		t.Errorf("spans %v, want one", spanNames(spans))
	}
}

// TestWrapManagerOff: without a provider the manager works as if it was not wrapped.
func TestWrapManagerOff(t *testing.T) {
	t.Parallel()
	m := newManaged(t, WithTracerProvider(noop.NewTracerProvider()))
	ran := make(chan bool, 10)
	c, err := controller.New("off", m, controller.Options{Reconciler: reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		if ctx.Value(sessionKey{}) != nil {
			t.Error("the context has a session while tracing is off")
		}
		ran <- true
		return reconcile.Result{}, m.GetClient().Get(ctx, req.NamespacedName, &appsv1.Deployment{})
	})})
	if err != nil {
		t.Fatal(err)
	}
	watchAll(t, m, c)
	m.start(t, 2)
	m.cache.update(deployment("owner"))
	<-ran
}

// oddController looks like a controller but is not one.
type oddController struct {
	controller.Controller
	Do, NewQueue string
}

func (*oddController) Start(context.Context) error { return nil }

func (*oddController) GetLogger() logr.Logger { return logr.Discard() }

type nilEmbedding struct{ *oddController }

func (nilEmbedding) Start(context.Context) error { return nil }

func TestWrapManagerNeverPanics(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	for _, r := range []manager.Runnable{&oddController{}, &nilEmbedding{}, (*oddController)(nil), manager.RunnableFunc(nil)} {
		if got := m.Manager.(*tracedManager).trace(r); got == nil {
			t.Errorf("Add did not pass on %T", r)
		}
	}
	if skipped := m.Manager.(*tracedManager).report.untraced; len(skipped) != 2 {
		t.Errorf("not traced: %q, want the odd controller and the nil one inside another", skipped)
	}
	m.Manager.(*tracedManager).traceWebhook("/x", nil)
}
