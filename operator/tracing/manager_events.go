package tracing

import (
	"context"
	"slices"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// observerKey is the key of the eventObserver in the context with which a controller starts its
// sources.
type observerKey struct{}

// eventObserver observes the events that a controller handles, for requests of any type.
type eventObserver interface {
	watches(obj client.Object, byName bool)
	start(action string, obj any) *handledEvent
	end(e *handledEvent)
}

// handledEvent is an event whose handler is running.
type handledEvent struct {
	action string
	object client.Object
}

// tracedCache recognises controllers that request an informer. Other methods are the cache's.
type tracedCache struct{ cache.Cache }

func (m *tracedManager) wrapCache() cache.Cache {
	inner := m.Manager.GetCache()
	if _, ok := inner.(*tracedCache); ok || isNil(inner) {
		return inner
	}
	if extended[cache.Cache](inner) {
		m.report.skipped("events of cache %T: it has methods of its own", inner)
		return inner
	}
	return &tracedCache{inner}
}

// GetInformer implements cache.Informers.
func (c *tracedCache) GetInformer(ctx context.Context, obj client.Object, opts ...cache.InformerGetOption) (cache.Informer, error) {
	informer, err := c.Cache.GetInformer(ctx, obj, opts...)
	observer, ok := ctx.Value(observerKey{}).(eventObserver)
	if err != nil || !ok || isNil(informer) {
		return informer, err
	}
	traced := &tracedInformer{informer, obj, observer}
	if shared, ok := informer.(toolscache.SharedIndexInformer); ok {
		return &tracedSharedInformer{shared, traced}, nil
	}
	return traced, nil
}

// tracedSharedInformer is a tracedInformer that is a SharedIndexInformer, because the informer is one.
type tracedSharedInformer struct {
	toolscache.SharedIndexInformer

	traced *tracedInformer
}

// AddEventHandlerWithOptions implements cache.Informer.
func (i *tracedSharedInformer) AddEventHandlerWithOptions(h toolscache.ResourceEventHandler, o toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	return i.traced.AddEventHandlerWithOptions(h, o)
}

// tracedInformer notifies an observer of the events that a controller-runtime source handles.
type tracedInformer struct {
	cache.Informer
	object   client.Object
	observer eventObserver
}

// AddEventHandlerWithOptions implements cache.Informer.
func (i *tracedInformer) AddEventHandlerWithOptions(h toolscache.ResourceEventHandler, o toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	if isSourceHandler(h) {
		i.observer.watches(i.object, requestsByName(h))
		h = &tracedSource{h, i.observer}
	}
	return i.Informer.AddEventHandlerWithOptions(h, o)
}

// tracedSource is a source's handler whose events are observed.
type tracedSource struct {
	inner    toolscache.ResourceEventHandler
	observer eventObserver
}

// OnAdd implements cache.ResourceEventHandler.
func (s *tracedSource) OnAdd(obj any, isInInitialList bool) {
	defer s.observer.end(s.observer.start(eventCreate, obj))
	s.inner.OnAdd(obj, isInInitialList)
}

// OnUpdate implements cache.ResourceEventHandler.
func (s *tracedSource) OnUpdate(oldObj, newObj any) {
	defer s.observer.end(s.observer.start(eventUpdate, newObj))
	s.inner.OnUpdate(oldObj, newObj)
}

// OnDelete implements cache.ResourceEventHandler.
func (s *tracedSource) OnDelete(obj any) {
	event := obj
	if tombstone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
		event = tombstone.Obj
	}
	defer s.observer.end(s.observer.start(eventDelete, event))
	s.inner.OnDelete(obj)
}

// watches records the kind of a source.
func (c *managedController[R]) watches(obj client.Object, byName bool) {
	w := watchedKind{kindOf(obj, c.m.cfg.scheme), byName}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.watched, w) {
		c.watched = append(c.watched, w)
	}
	c.requests = nil
	if gvk := c.reconciledKind(); gvk.Kind != "" {
		c.requests, _ = any(requestsFor(gvk, c.m.cfg.scheme)).(func(client.Object) []R) // nil unless R is reconcile.Request
	}
}

// start records that the handlers of an event start. An informer calls the handlers of one source
// sequentially, but sources run in parallel. It returns nil if there is nothing to record.
func (c *managedController[R]) start(action string, obj any) *handledEvent {
	o, ok := obj.(client.Object)
	if c.m.cfg.off() || !ok || absent(o) {
		return nil
	}
	e := &handledEvent{action, o}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handling = append(c.handling, e)
	return e
}

func (c *managedController[R]) end(e *handledEvent) {
	if e == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.handling, e); i >= 0 {
		c.handling = slices.Delete(c.handling, i, i+1)
	}
}

// cause returns the event that a request is added for, among the events that are being handled now.
// If there are several, it is the only event for which For or Owns would add the request. If no
// event or more than one matches, the cause is unknown. An add from a channel source during the
// handling of exactly one event is wrongly attributed to that event.
func (c *managedController[R]) cause(item R) *handledEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.handling) == 1 {
		return c.handling[0]
	}
	var cause *handledEvent
	for _, e := range c.handling {
		if c.requests == nil || !slices.Contains(c.requests(e.object), item) {
			continue
		}
		if cause != nil {
			return nil
		}
		cause = e
	}
	return cause
}

// observeQueue decorates the controller's queue twice. The outer decorator announces the cause of
// an add to the inner decorator, which is the QueueObserver's.
func (c *managedController[R]) observeQueue(f queueFunc[R]) queueFunc[R] {
	f = c.queue.WrapNewQueue(f)
	return func(name string, l workqueue.TypedRateLimiter[R]) workqueue.TypedRateLimitingInterface[R] {
		return observeAdds(f(name, l), c.announce)
	}
}

// announce passes the cause of the next add to the QueueObserver. It ignores a requeue by a
// reconcile: such an add has a delay, and happens while the request still runs.
func (c *managedController[R]) announce(item R, after time.Duration, limited bool) {
	if c.m.cfg.off() || (limited || after > 0) && c.queue.running(item) != nil {
		return
	}
	if e := c.cause(item); e != nil {
		c.queue.table.announce(item, after, limited, c.queue.cfg.trigger(e.action, e.object), c.queue.cfg.now())
	}
}
