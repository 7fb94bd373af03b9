package tracing

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace/noop"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/util/workqueue"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

type newQueueFunc = func(string, workqueue.TypedRateLimiter[string]) workqueue.TypedRateLimitingInterface[string]

// calls is a priority queue and a rate limiter that record their calls.
type calls struct {
	workqueue.TypedRateLimiter[string] // for methods of both interfaces

	log []string
}

func (c *calls) call(format string, args ...any) { c.log = append(c.log, fmt.Sprintf(format, args...)) }

func (c *calls) Add(item string)                       { c.call("Add %s", item) }
func (c *calls) AddAfter(item string, d time.Duration) { c.call("AddAfter %s %s", item, d) }
func (c *calls) AddRateLimited(item string)            { c.call("AddRateLimited %s", item) }
func (c *calls) Get() (string, bool)                   { c.call("Get"); return "got", false }
func (c *calls) Done(item string)                      { c.call("Done %s", item) }
func (c *calls) Len() int                              { c.call("Len"); return 7 }
func (c *calls) ShutDown()                             { c.call("ShutDown") }
func (c *calls) ShutDownWithDrain()                    { c.call("ShutDownWithDrain") }
func (c *calls) ShuttingDown() bool                    { c.call("ShuttingDown"); return true }
func (c *calls) Forget(item string)                    { c.call("Forget %s", item) }
func (c *calls) NumRequeues(item string) int           { c.call("NumRequeues %s", item); return 8 }
func (c *calls) When(item string) time.Duration        { c.call("When %s", item); return 9 }
func (c *calls) GetWithPriority() (string, int, bool) {
	c.call("GetWithPriority")
	return "got", -100, false
}
func (c *calls) AddWithOpts(o priorityqueue.AddOpts, items ...string) {
	c.call("AddWithOpts %s %t %d %s", o.After, o.RateLimited, *o.Priority, items)
}

// plainCalls is calls without the methods of a priority queue.
type plainCalls struct {
	workqueue.TypedRateLimitingInterface[string]
}

// TestQueuePassesThrough: every call reaches the queue once and unchanged, and its result is
// returned.
func TestQueuePassesThrough(t *testing.T) {
	for name, opts := range map[string][]Option{
		"on":  {WithTracerProvider(tracingtest.NewTracerProvider())},
		"off": {WithTracerProvider(noop.NewTracerProvider())},
	} {
		t.Run(name, func(t *testing.T) {
			q := NewTypedQueueObserver[string](nil, opts...)
			inner := &calls{}
			var results []any
			note := func(values ...any) { results = append(results, values...) }
			wq := q.decorate(inner).(priorityqueue.PriorityQueue[string])
			wq.Add("a")
			wq.AddAfter("b", 1)
			wq.AddRateLimited("c")
			wq.AddWithOpts(priorityqueue.AddOpts{After: 2, RateLimited: true, Priority: new(3)}, "d", "e")
			item, down := wq.Get()
			note(item, down)
			item, priority, down := wq.GetWithPriority()
			note(item, priority, down)
			wq.Done("got")
			wq.Forget("g")
			note(wq.Len(), wq.NumRequeues("h"), wq.ShuttingDown(), q.WrapRateLimiter(inner).When("i"))
			wq.ShutDown()
			wq.ShutDownWithDrain()
			if diff := cmp.Diff([]any{"got", false, "got", -100, false, 7, 8, true, time.Duration(9)}, results); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			want := []string{
				"Add a", "AddAfter b 1ns", "AddRateLimited c", "AddWithOpts 2ns true 3 [d e]", "Get", "GetWithPriority", "Done got", "Forget g",
				"Len", "NumRequeues h", "ShuttingDown", "When i", "ShutDown", "ShutDownWithDrain",
			}
			got := slices.DeleteFunc(inner.log, func(s string) bool { return s == "NumRequeues got" }) // called by each Get
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if len(q.table.requests) != 0 {
				t.Errorf("%d requests left in the table, want 0", len(q.table.requests))
			}
		})
	}
}

func isPriority(wq workqueue.TypedRateLimitingInterface[string]) bool {
	_, ok := wq.(priorityqueue.PriorityQueue[string])
	return ok
}

// TestOptionsKeepTheQueue: the queue is the same that controller-runtime would create, also if the
// manager's options select it.
func TestOptionsKeepTheQueue(t *testing.T) {
	limiter := workqueue.DefaultTypedControllerRateLimiter[string]()
	for name, tc := range map[string]struct {
		options controller.TypedOptions[string]
		manager *bool
	}{
		"default":                                   {},
		"priority":                                  {controller.TypedOptions[string]{UsePriorityQueue: new(true)}, nil},
		"no priority":                               {controller.TypedOptions[string]{UsePriorityQueue: new(false)}, nil},
		"no priority by the manager":                {controller.TypedOptions[string]{}, new(false)},
		"priority by the manager":                   {controller.TypedOptions[string]{}, new(true)},
		"the manager is overruled":                  {controller.TypedOptions[string]{UsePriorityQueue: new(true)}, new(false)},
		"an own limiter":                            {controller.TypedOptions[string]{RateLimiter: limiter}, nil},
		"an own limiter, no priority":               {controller.TypedOptions[string]{RateLimiter: limiter, UsePriorityQueue: new(false)}, nil},
		"an own queue that is not a priority queue": {controller.TypedOptions[string]{NewQueue: newPlain}, nil},
		"an own queue, though there is an option":   {controller.TypedOptions[string]{NewQueue: newPlain, UsePriorityQueue: new(true)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			made := func(o controller.TypedOptions[string]) bool {
				o.DefaultFromConfig(ctrlconfig.Controller{UsePriorityQueue: tc.manager, SkipNameValidation: new(true)})
				o.Reconciler = reconcile.TypedFunc[string](nil)
				c, err := controller.NewTypedUnmanaged("test", o)
				if err != nil {
					t.Fatal(err)
				}
				// The controller's type is internal, and it creates its queue when it starts.
				fields := reflect.ValueOf(c).Elem()
				wq := fields.FieldByName("NewQueue").Interface().(newQueueFunc)("test", fields.FieldByName("RateLimiter").Interface().(workqueue.TypedRateLimiter[string]))
				defer wq.ShutDown()
				return isPriority(wq)
			}
			q := NewTypedQueueObserver[string](nil)
			if want, got := made(tc.options), made(q.Options(tc.options)); got != want {
				t.Errorf("the decorated queue is a priority queue: %t, the undecorated: %t", got, want)
			}
			twice := q.Options(tc.options) // as by a wrapped manager
			twice.NewQueue = NewTypedQueueObserver[string](nil).WrapNewQueue(twice.NewQueue)
			if want, got := made(tc.options), made(twice); got != want {
				t.Errorf("the queue that is decorated twice is a priority queue: %t, the undecorated: %t", got, want)
			}
		})
	}
}

func newPlain(string, workqueue.TypedRateLimiter[string]) workqueue.TypedRateLimitingInterface[string] {
	return plainCalls{&calls{}}
}

func TestWrapNewQueue(t *testing.T) {
	q := NewTypedQueueObserver[string](nil)
	var name string
	var limiter workqueue.TypedRateLimiter[string]
	inner := &calls{}
	wq := q.WrapNewQueue(func(n string, l workqueue.TypedRateLimiter[string]) workqueue.TypedRateLimitingInterface[string] {
		name, limiter = n, l
		return inner
	})("heads", q.WrapRateLimiter(inner))
	if traced, ok := limiter.(*tracedRateLimiter[string]); name != "heads" || !ok || traced.TypedRateLimiter != inner {
		t.Errorf("the queue %q is made with the limiter %#v, want the given one, decorated once", name, limiter)
	}
	if !isPriority(wq) {
		t.Error("the decorated queue is not a priority queue")
	}
	none := q.WrapNewQueue(func(string, workqueue.TypedRateLimiter[string]) workqueue.TypedRateLimitingInterface[string] {
		return nil
	})
	if got := none("", nil); got != nil {
		t.Errorf("decorate(nil) = %T, want nil", got)
	}
	made := q.WrapNewQueue(nil)("", nil)
	defer made.ShutDown()
	if !isPriority(made) {
		t.Error("the default is not a priority queue")
	}
}

// TestNilQueue: a nil QueueObserver does nothing.
func TestNilQueue(t *testing.T) {
	var q *QueueObserver[string]
	if o := q.Options(controller.TypedOptions[string]{}); o.NewQueue != nil {
		t.Error("the options have a queue")
	}
	inner := &calls{}
	if got := q.WrapRateLimiter(inner); got != inner {
		t.Errorf("the limiter is %T", got)
	}
	if q.WrapNewQueue(nil) != nil {
		t.Error("WrapNewQueue(nil) of a nil QueueObserver returns a function, want nil")
	}
	if !q.Predicate().Create(event.CreateEvent{}) || !q.Predicate().Update(event.UpdateEvent{}) {
		t.Error("the predicate rejects an event")
	}
	r := WrapTypedReconciler(&appsv1.Deployment{}, reconcile.TypedFunc[string](nil), nil, WithQueueObserver(q)).(*tracedReconciler[string])
	if r.queue != nil || r.cfg.queue != nil {
		t.Error("the reconciler has a queue")
	}
	other := WithQueueObserver(NewTypedQueueObserver[int](nil)) // of another type
	if r := WrapTypedReconciler(&appsv1.Deployment{}, reconcile.TypedFunc[string](nil), nil, other).(*tracedReconciler[string]); r.queue != nil {
		t.Error("the reconciler has a queue of other requests")
	}
	if got := NewTypedQueueObserver[string](nil).WrapRateLimiter(nil); got != nil {
		t.Errorf("WrapRateLimiter(nil) = %T, want nil", got)
	}
}

// TestQueueSwitchedOff: records from before tracing was switched off are not used for a later run.
func TestQueueSwitchedOff(t *testing.T) {
	q := NewTypedQueueObserver[string](nil, WithTracerProvider(tracingtest.NewTracerProvider()))
	wq := q.decorate(&calls{})
	wq.Add("got")
	if len(q.table.requests) != 1 {
		t.Fatal("the table is empty, want a record")
	}
	q.cfg.provider = noop.NewTracerProvider()
	wq.Get()
	wq.Add("other")
	if n := len(q.table.requests); n != 0 {
		t.Errorf("%d requests are known while tracing is off", n)
	}
}

// watchful is a queue that checks the table when it is called.
type watchful struct {
	calls

	t     *testing.T
	table *queueTable[string]
}

func (w *watchful) Add(item string) {
	if w.table.requests[item] == nil {
		w.t.Error("the queue could return a request before it is recorded")
	}
}

func (w *watchful) AddWithOpts(_ priorityqueue.AddOpts, items ...string) {
	for _, item := range items {
		w.Add(item)
	}
}

func (w *watchful) Done(item string) {
	if w.table.running(item) != nil {
		w.t.Error("the queue could return a request again while it is recorded as running")
	}
}

// TestQueueNotesFirst: another goroutine may take a request before the queue's call returns.
func TestQueueNotesFirst(t *testing.T) {
	q := NewTypedQueueObserver[string](nil, WithTracerProvider(tracingtest.NewTracerProvider()))
	wq := q.decorate(&watchful{t: t, table: &q.table}).(priorityqueue.PriorityQueue[string])
	wq.Add("got")
	wq.AddWithOpts(priorityqueue.AddOpts{Priority: new(1)}, "a", "b")
	wq.Get()
	if q.table.running("got") == nil {
		t.Fatal("no request is running")
	}
	wq.Done("got")
}
