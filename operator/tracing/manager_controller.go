package tracing

import (
	"context"
	"reflect"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// WithRequestType lets [WrapManager] trace controllers whose requests have type R. The function key
// has the same meaning as in [WrapTypedReconciler], and may be nil. For reconcile.Request it
// replaces the default, the name in the request. Other wrappers ignore the option.
func WithRequestType[R comparable](key func(R) types.NamespacedName) Option {
	return requestsOf[R]{key}
}

// requestType wraps controllers with one type of requests. It is an interface because only generic
// code can name that type.
type requestType interface {
	// wrap wraps the controller in v. It returns false if the controller's requests have another
	// type.
	wrap(m *tracedManager, v reflect.Value, name string) (found, bool)
}

// found is a wrapped controller.
type found struct {
	observer eventObserver // nil without a queue
	label    string
}

type requestsOf[R comparable] struct {
	key func(R) types.NamespacedName
}

func (requestsOf[R]) apply(*config) {}

// requestTypes returns the request types of the options, followed by reconcile.Request.
func requestTypes(opts []Option) []requestType {
	var out []requestType
	for _, o := range opts {
		if t, ok := o.(requestType); ok {
			out = append(out, t)
		}
	}
	return append(out, requestsOf[reconcile.Request]{func(r reconcile.Request) types.NamespacedName { return r.NamespacedName }})
}

// trace wraps a controller. Other runnables are returned unchanged.
func (m *tracedManager) trace(r manager.Runnable) (out manager.Runnable) {
	out = r
	defer func() {
		if problem := recover(); problem != nil {
			m.report.skipped("runnable %T: %v", r, problem)
			out = r
		}
	}()
	if _, ok := r.(*observedController); ok {
		return r
	}
	v := reflect.Indirect(reflect.ValueOf(r))
	if _, ok := r.(interface{ GetLogger() logr.Logger }); !ok || v.Kind() != reflect.Struct {
		return r // all controllers have a logger
	}
	name := controllerName(v, r)
	for _, t := range m.types {
		c, ok := t.wrap(m, v, name)
		if !ok {
			continue
		}
		m.report.traced(&m.report.controllers, c.label)
		if inner, ok := r.(controllerRunnable); ok && c.observer != nil {
			return &observedController{inner, c.observer}
		}
		return r
	}
	if do := v.FieldByName("Do"); do.IsValid() {
		m.report.skipped("controller %s: unknown request type, its reconciler is a %s; use WithRequestType", name, do.Type())
	} else if v.FieldByName("Controller").IsValid() {
		m.report.skipped("controller %s: %T is not controller-runtime's controller; use WrapReconciler", name, r)
	}
	return r
}

func controllerName(v reflect.Value, r manager.Runnable) string {
	if f := v.FieldByName("Name"); f.IsValid() && f.Kind() == reflect.String {
		return f.String()
	}
	return reflect.TypeOf(r).String()
}

// field returns a pointer to an exported field of exactly the type T, or nil.
func field[T any](v reflect.Value, name string) *T {
	f := v.FieldByName(name)
	if !f.IsValid() || !f.CanSet() {
		return nil
	}
	p, _ := f.Addr().Interface().(*T)
	return p
}

type queueFunc[R comparable] = func(string, workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimitingInterface[R]

func (q requestsOf[R]) wrap(m *tracedManager, v reflect.Value, name string) (found, bool) {
	do := field[reconcile.TypedReconciler[R]](v, "Do")
	if do == nil || *do == nil {
		return found{}, false
	}
	switch (*do).(type) {
	case *tracedReconciler[R], *managedController[R]:
		return found{label: name}, true // wrapped explicitly, or by another manager
	}
	c := &managedController[R]{m: m, name: name, inner: *do, key: q.key}
	c.queue = NewTypedQueueObserver[R](nil, m.opts...)
	if construct := field[func(*R) logr.Logger](v, "LogConstructor"); construct != nil && *construct != nil {
		inner := *construct
		c.kind = kindOfLogger(inner(nil))
		*construct = func(r *R) logr.Logger { return withoutKindSink(inner(r)) }
	}
	*do = c
	out := found{label: name}
	if c.kind.Kind != "" {
		out.label += " (" + c.kind.Kind + ")"
	}
	newQueue := field[queueFunc[R]](v, "NewQueue")
	if newQueue == nil {
		m.report.skipped("queue of controller %s: no field NewQueue", name)
		return out, true
	}
	*newQueue = c.observeQueue(*newQueue)
	out.observer = c
	return out, true
}

// controllerRunnable lists the methods that a manager uses of controller-runtime's controller.
type controllerRunnable interface {
	manager.Runnable
	manager.LeaderElectionRunnable
	Warmup(ctx context.Context) error
}

// observedController starts a controller with a context that contains its observer, for the wrapped
// cache.
type observedController struct {
	controllerRunnable
	observer eventObserver
}

// Start implements manager.Runnable.
func (c *observedController) Start(ctx context.Context) error {
	return c.controllerRunnable.Start(context.WithValue(ctx, observerKey{}, c.observer))
}

// Warmup starts sources before the manager is elected.
func (c *observedController) Warmup(ctx context.Context) error {
	return c.controllerRunnable.Warmup(context.WithValue(ctx, observerKey{}, c.observer))
}

// managedController is the wrapped reconciler of a controller, and its observer of events.
type managedController[R comparable] struct {
	m     *tracedManager
	name  string
	kind  schema.GroupKind // from the builder; may be empty
	inner reconcile.TypedReconciler[R]
	key   func(R) types.NamespacedName // may be nil
	queue *QueueObserver[R]

	once   sync.Once
	traced reconcile.TypedReconciler[R]

	mu       sync.Mutex
	watched  []watchedKind
	handling []*handledEvent
	requests func(client.Object) []R // requests that For and Owns would add; nil if the kind is unknown
}

// Reconcile implements reconcile.TypedReconciler. It can determine the kind, because sources start
// before workers.
func (c *managedController[R]) Reconcile(ctx context.Context, req R) (reconcile.Result, error) {
	c.once.Do(func() {
		opts := slices.Concat(c.m.opts, []Option{WithQueueObserver(c.queue)})
		c.traced = WrapTypedReconciler(c.reconciledObject(), c.inner, c.key, opts...)
	})
	return c.traced.Reconcile(ctx, req)
}
