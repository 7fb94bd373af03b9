package tracing

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// toOwner maps any object to the Deployment "owner".
func toOwner[T client.Object](context.Context, T) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: "ns", Name: "owner"}}}
}

// watchAll watches Deployments by name, and Secrets by a function.
func watchAll(t *testing.T, m manager.Manager, c controller.Controller) {
	t.Helper()
	for _, s := range []source.Source{
		source.Kind(m.GetCache(), &appsv1.Deployment{}, &handler.TypedEnqueueRequestForObject[*appsv1.Deployment]{}),
		source.Kind(m.GetCache(), &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(toOwner[*corev1.Secret])),
	} {
		if err := c.Watch(s); err != nil {
			t.Fatal(err)
		}
	}
}

// ownedMeta returns the metadata of an object that a Deployment owns.
func ownedMeta(owner string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "ns", Name: "owned", OwnerReferences: []metav1.OwnerReference{{
		APIVersion: "apps/v1", Kind: "Deployment", Name: owner, UID: "u", Controller: new(true),
	}}}
}

func TestWrapManagerTracesBuilders(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	err := builder.ControllerManagedBy(m).For(&appsv1.Deployment{}).Owns(&appsv1.ReplicaSet{}).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(toOwner)).
		Watches(&corev1.Service{}, &handler.EnqueueRequestForObject{}).
		Complete(m.creator())
	if err != nil {
		t.Fatal(err)
	}
	m.start(t, 4)
	for i, obj := range []client.Object{
		deployment("owner"), &appsv1.ReplicaSet{ObjectMeta: ownedMeta("owner")}, &corev1.Secret{ObjectMeta: ownedMeta("")}, &corev1.Service{ObjectMeta: ownedMeta("")},
	} {
		m.cache.update(obj)
		s := m.reconciles(t, i+1)[i]
		want := "update " + kindOf(obj, m.GetScheme()).Kind
		if got := attributeText(s, "operator.reconcile.trigger"); got != want || s.Name != "reconcile Deployment" {
			t.Errorf("span %q has the trigger %q, want %q", s.Name, got, want)
		}
	}
	if log := strings.Join(m.logged(), "\n"); !strings.Contains(log, `"controllers"=["deployment (Deployment)"]`) {
		t.Errorf("unexpected log:\n%s", log)
	}
}

// TestWrapManagerKinds checks the kinds of controllers.
func TestWrapManagerKinds(t *testing.T) {
	t.Parallel()
	ownLogger := func(*reconcile.Request) logr.Logger { return logr.Discard() }
	watch := func(c controller.Controller, m manager.Manager, objs ...client.Object) {
		for _, obj := range objs {
			if err := c.Watch(source.Kind(m.GetCache(), obj, &handler.EnqueueRequestForObject{})); err != nil {
				t.Error(err)
			}
		}
	}
	byHand := func(name string, objs ...client.Object) func(*managed) error {
		return func(m *managed) error {
			c, err := controller.New(name, m, controller.Options{Reconciler: m.creator()})
			if err == nil {
				watch(c, m, objs...)
			}
			return err
		}
	}
	for name, tc := range map[string]struct {
		build   func(*managed) error
		sources int
		want    string
	}{
		"builder": {func(m *managed) error {
			return builder.ControllerManagedBy(m).Named("any").For(&appsv1.Deployment{}).Complete(m.creator())
		}, 1, "reconcile Deployment"},
		"builder, metadata only": {func(m *managed) error {
			return builder.ControllerManagedBy(m).Named("any").For(&appsv1.Deployment{}, builder.OnlyMetadata).Complete(m.creator())
		}, 1, "reconcile Deployment"},
		"builder with own logger": {func(m *managed) error {
			return builder.ControllerManagedBy(m).Named("any").For(&appsv1.Deployment{}).WithLogConstructor(ownLogger).Complete(m.creator())
		}, 1, "reconcile Deployment"},
		"by hand":                  {byHand("any", &appsv1.Deployment{}), 1, "reconcile Deployment"},
		"by hand, several kinds":   {byHand("any", &appsv1.Deployment{}, &corev1.Secret{}), 2, "reconcile"},
		"by hand, called like one": {byHand("deployment", &appsv1.Deployment{}, &corev1.Secret{}), 2, "reconcile Deployment"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManaged(t)
			if err := tc.build(m); err != nil {
				t.Fatal(err)
			}
			m.start(t, tc.sources)
			meta := &metav1.PartialObjectMetadata{ObjectMeta: deployment("owner").ObjectMeta}
			meta.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
			if strings.Contains(name, "metadata") {
				m.cache.update(meta)
			} else {
				m.cache.update(deployment("owner"))
			}
			if s := m.reconciles(t, 1)[0]; s.Name != tc.want {
				t.Errorf("span %q, want %q", s.Name, tc.want)
			}
		})
	}
}

// TestLoggersStay: reconcilers log as without tracing, and kindSink is removed from their logger.
func TestLoggersStay(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	c, err := builder.ControllerManagedBy(m).For(&appsv1.Deployment{}).Build(m.creator())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.GetLogger().GetSink().(*kindSink); ok {
		t.Error("the controller's logger contains kindSink, want it removed")
	}
	c.GetLogger().Info("line")
	lines := m.logged()
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, `"msg"="line"`) }); i < 0 ||
		!strings.Contains(lines[i], `"controllerGroup"="apps" "controllerKind"="Deployment"`) {
		t.Errorf("the log is %q", lines)
	}
	m.GetLogger().WithName("n").WithCallDepth(1).WithValues("controllerKind", 5, "odd").Info("again")
	if l := m.logged(); !strings.Contains(l[len(l)-1], `"controllerKind"=5`) {
		t.Errorf("the log is %q", l)
	}
	if got := withKindSink(logr.Logger{}); got.GetSink() != nil {
		t.Error("a logger without a sink gets one")
	}
}

// TestWarmup: the observed controller keeps its leader election and warm-up.
func TestWarmup(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	c, err := controller.NewUnmanaged("warm", controller.Options{
		Reconciler: m.creator(), EnableWarmup: new(true), NeedLeaderElection: new(false), SkipNameValidation: new(true), Logger: logr.Discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	watchAll(t, m, c)
	r, ok := m.Manager.(*tracedManager).trace(c).(*observedController)
	if !ok || r.NeedLeaderElection() {
		t.Fatalf("observed %t, want a controller that needs no election", ok)
	}
	if again := m.Manager.(*tracedManager).trace(r); again != manager.Runnable(r) {
		t.Error("an observed controller is wrapped again")
	}
	if err := r.Warmup(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "sources are warm", func() bool {
		m.cache.mu.Lock()
		defer m.cache.mu.Unlock()
		return len(m.cache.handlers) == 2
	})
}

// TestCauseOfParallelEvents: if several events are handled in parallel and none can be selected,
// there is no cause.
func TestCauseOfParallelEvents(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	c := &managedController[reconcile.Request]{m: m.Manager.(*tracedManager), kind: appsv1.SchemeGroupVersion.WithKind("Deployment").GroupKind()}
	c.watches(&appsv1.Deployment{}, true)
	owner := toOwner[client.Object](t.Context(), nil)[0]
	if e := c.cause(owner); e != nil {
		t.Errorf("cause without an event: %v", e)
	}
	secret := c.start(eventUpdate, &corev1.Secret{ObjectMeta: ownedMeta("other")})
	if e := c.cause(owner); e != secret {
		t.Errorf("cause(owner) = %v, want the only event", e)
	}
	set := c.start(eventUpdate, &appsv1.ReplicaSet{ObjectMeta: ownedMeta("owner")})
	if e := c.cause(owner); e != set {
		t.Errorf("cause(owner) = %v, want the owned object's", e)
	}
	twice := c.start(eventCreate, deployment("owner"))
	if e := c.cause(owner); e != nil {
		t.Errorf("cause(owner) = %v, want none of two", e)
	}
	for _, e := range []*handledEvent{secret, set, nil} {
		c.end(e)
	}
	if e := c.cause(owner); e != twice {
		t.Errorf("cause(owner) = %v, want the remaining event", e)
	}
	for _, obj := range []any{nil, "text", (*corev1.Secret)(nil)} {
		if e := c.start(eventDelete, obj); e != nil {
			t.Errorf("start(%v) = %v, want nil", obj, e)
		}
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options controller.Options
		trigger string
	}{
		"no options":    {trigger: "update Deployment"},
		"plain options": {options: controller.Options{MaxConcurrentReconciles: 3, RecoverPanic: new(false), UsePriorityQueue: new(false)}, trigger: "update Deployment"},
		"no logger":     {options: controller.Options{Logger: logr.Discard()}, trigger: "update Deployment"},
		"own logger":    {options: controller.Options{LogConstructor: func(*reconcile.Request) logr.Logger { return logr.Discard() }}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newManaged(t)
			m.Manager = m.inner // not wrapped
			b := builder.ControllerManagedBy(m).For(&appsv1.Deployment{}).WithOptions(tc.options)
			client := WrapClient(m.server, WithTracerProvider(m.tp))
			err := Complete(b, &appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
				return reconcile.Result{}, client.Create(ctx, configMap("created"))
			}), WithTracerProvider(m.tp))
			if err != nil {
				t.Fatal(err)
			}
			m.start(t, 1)
			m.cache.update(deployment("owner"))
			if s := m.reconciles(t, 1)[0]; attributeText(s, "operator.reconcile.trigger") != tc.trigger {
				t.Errorf("trigger %q, want %q", attributeText(s, "operator.reconcile.trigger"), tc.trigger)
			}
		})
	}
	if err := Complete(builder.ControllerManagedBy(newManaged(t).inner), &appsv1.Deployment{}, nil); err == nil {
		t.Error("Complete(nil reconciler) returns no error")
	}
}

// TestBuilderOptions: all plain options are kept.
func TestBuilderOptions(t *testing.T) {
	t.Parallel()
	want := controller.Options{MaxConcurrentReconciles: 3, CacheSyncTimeout: 5, RecoverPanic: new(false), NeedLeaderElection: new(true), UsePriorityQueue: new(false), ReconciliationTimeout: 7}
	got, ok := builderOptions(builder.ControllerManagedBy(nil).WithOptions(want))
	if !ok || got.MaxConcurrentReconciles != 3 || got.CacheSyncTimeout != 5 || *got.RecoverPanic || !*got.NeedLeaderElection || *got.UsePriorityQueue || got.ReconciliationTimeout != 7 {
		t.Errorf("builderOptions() = %+v, %t", got, ok)
	}
	if _, ok := builderOptions(builder.ControllerManagedBy(nil).WithOptions(controller.Options{Reconciler: reconcile.Func(nil)})); ok {
		t.Error("a reconciler in the options is dropped")
	}
	if _, ok := builderOptions(nil); ok {
		t.Error("a nil builder has options")
	}
}
