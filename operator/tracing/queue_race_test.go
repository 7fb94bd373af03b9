package tracing

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestQueueUnderLoad: many sources and workers share a queue, and requests are also added later. At
// the end the table is empty. The race detector checks the locking.
func TestQueueUnderLoad(t *testing.T) {
	const sources, workers, rounds, names = 8, 8, 200, 10
	underBothQueues(t, func(t *testing.T, priority bool) {
		q := NewTypedQueueObserver(func(obj client.Object) []string { return []string{obj.GetName()} }, WithTracerProvider(tracingtest.NewTracerProvider()))
		newQueue := q.WrapNewQueue(nil)
		if !priority {
			newQueue = q.WrapNewQueue(func(_ string, l workqueue.TypedRateLimiter[string]) workqueue.TypedRateLimitingInterface[string] {
				return workqueue.NewTypedRateLimitingQueue(l)
			})
		}
		wq := newQueue("", workqueue.NewTypedItemExponentialFailureRateLimiter[string](time.Millisecond, time.Second))
		h := WrapEventHandler(q, handler.TypedEventHandler[*appsv1.Deployment, string](handler.TypedFuncs[*appsv1.Deployment, string]{
			UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*appsv1.Deployment], q workqueue.TypedRateLimitingInterface[string]) {
				q.AddAfter(e.ObjectNew.Name, time.Millisecond)
			},
		}))
		var adding, working sync.WaitGroup
		for range workers {
			working.Go(func() {
				for {
					item, down := wq.Get()
					if down {
						return
					}
					r := q.table.running(item)
					r.attributes(nil, newCausality(10))
					r.links(relation{parent: sampledContext(1)}, newCausality(10))
					if r.ends(requeueError); r.attempt == 1 {
						wq.AddRateLimited(item)
					} else {
						wq.Forget(item)
					}
					wq.Done(item)
				}
			})
		}
		for source := range sources {
			adding.Go(func() {
				for i := range rounds {
					d := deployment(strconv.Itoa((i+source)%names), carries(sampledContext(byte(i%5+1)), 0))
					q.Predicate().Update(event.UpdateEvent{ObjectOld: d, ObjectNew: d})
					wq.Add(d.Name)
					h.Update(t.Context(), event.TypedUpdateEvent[*appsv1.Deployment]{ObjectOld: d, ObjectNew: d}, wq)
					pass(time.Microsecond)
				}
			})
		}
		adding.Wait()
		pass(time.Minute) // until all delayed requests are done
		synctest.Wait()
		if n := len(q.table.requests); n != 0 {
			t.Errorf("%d requests left in the table, want 0", n)
		}
		wq.ShutDown()
		working.Wait()
	})
}
