package tracing

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Types of events, as the first word of a trigger.
const (
	eventCreate  = "create"
	eventUpdate  = "update"
	eventDelete  = "delete"
	eventGeneric = "generic"
)

// triggerPredicate records events, and accepts all of them.
type triggerPredicate[R comparable] struct{ queue *QueueObserver[R] }

var _ predicate.Predicate = triggerPredicate[string]{}

// Create implements predicate.Predicate.
func (p triggerPredicate[R]) Create(e event.CreateEvent) bool {
	p.note(eventCreate, nil, e.Object)
	return true
}

// Update implements predicate.Predicate.
func (p triggerPredicate[R]) Update(e event.UpdateEvent) bool {
	p.note(eventUpdate, e.ObjectOld, e.ObjectNew)
	return true
}

// Delete implements predicate.Predicate.
func (p triggerPredicate[R]) Delete(e event.DeleteEvent) bool {
	p.note(eventDelete, nil, e.Object)
	return true
}

// Generic implements predicate.Predicate.
func (p triggerPredicate[R]) Generic(e event.GenericEvent) bool {
	p.note(eventGeneric, nil, e.Object)
	return true
}

// note records the event for each request that it may add. An update also counts for the requests
// of the old object, whose owners may differ.
func (p triggerPredicate[R]) note(action string, old, obj client.Object) {
	q := p.queue
	if q.cfg.off() || q.requests == nil || absent(obj) {
		return
	}
	t, now := q.cfg.trigger(action, obj), q.cfg.now()
	requests := q.requests(obj)
	for _, item := range requests {
		q.table.note(item, t, now)
	}
	if absent(old) {
		return
	}
	for _, item := range q.requests(old) {
		if !slices.Contains(requests, item) {
			q.table.note(item, t, now)
		}
	}
}

// trigger reads an event. An invalid context is ignored: the reconcile that reads the object logs
// it.
func (c *config) trigger(action string, obj client.Object) trigger {
	kind := kindOf(obj, c.scheme)
	t := trigger{
		text:       c.names.of(action, kind.Kind),
		object:     objectName{kind.GroupKind(), client.ObjectKeyFromObject(obj)},
		uid:        obj.GetUID(),
		version:    obj.GetResourceVersion(),
		generation: obj.GetGeneration(),
	}
	if annotations := obj.GetAnnotations(); c.hasContext(annotations) {
		if stored, ok := c.extractFrom(annotations); ok {
			t.stored = carried{stored.sc, stored.span, stored.origin.start, stored.belongsTo(t.generation)}
		}
	}
	return t
}

// requestsFor returns a function that returns the requests of For and Owns for an object, for a
// controller of a kind. It cannot know whether the owner of a namespaced object is namespaced, so
// it returns both requests.
func requestsFor(kind schema.GroupVersionKind, scheme *runtime.Scheme) func(client.Object) []reconcile.Request {
	return func(obj client.Object) []reconcile.Request {
		var out []reconcile.Request
		add := func(namespace, name string) {
			out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}})
		}
		if sameKind(kindOf(obj, scheme), kind) {
			add(obj.GetNamespace(), obj.GetName())
		}
		for _, ref := range obj.GetOwnerReferences() {
			if !sameKind(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind), kind) {
				continue
			}
			add(obj.GetNamespace(), ref.Name)
			if obj.GetNamespace() != "" {
				add("", ref.Name)
			}
		}
		return out
	}
}

// sameKind also compares groups if a scheme knew both kinds. A kind that the scheme did not know
// has no version.
func sameKind(a, b schema.GroupVersionKind) bool {
	return a.Kind == b.Kind && (a.Group == b.Group || a.Version == "" || b.Version == "")
}

// absent reports whether obj is nil or a nil pointer.
func absent(obj client.Object) bool {
	if obj == nil {
		return true
	}
	v := reflect.ValueOf(obj)
	return v.Kind() == reflect.Pointer && v.IsNil()
}
