package tracing

import (
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tellFinalizers names a write by the finalizers that it added or removed, if it did not change what is desired as well. A write that
// did both is named by the removal, which lets an object go.
func (w *write) tellFinalizers(after *objectFacts, raised bool) {
	if !w.read || w.verb == verbCreate {
		return
	}
	added, removed := finalizersBetween(w.prior.finalizers, after.finalizers)
	action := ""
	if len(added) > 0 {
		w.span.SetAttributes(FinalizersAddedKey.StringSlice(added))
		action = "add_finalizer"
	}
	if len(removed) > 0 {
		w.span.SetAttributes(FinalizersRemovedKey.StringSlice(removed))
		action = "remove_finalizer"
	}
	if action != "" && !raised {
		w.span.SetName(w.cfg.names.of(action, w.id.gvk.Kind))
	}
}

// intent says what a write was for, by what became of the object. Of a failed one that can't be told, unless the verb says it.
func (w *write) intent(unchanged, raised bool, generation int64) intents {
	switch {
	case w.verb == verbDelete || w.verb == verbDeleteAll:
		return intentDelete
	case w.sub == statusResource:
		return intentStatus
	case w.sub == "scale" || w.verb == verbCreate && w.sub == "":
		return intentDesired
	case w.sub != "":
		return intentOther
	case unchanged:
		return 0
	case generation == 0:
		return intentOther // the kind counts no generations, or the write failed
	case raised:
		return intentDesired
	default:
		return intentMetadata
	}
}

// tellStatus records what a write says in the status of an object that was read and that the status did not say before. A patch of
// an object may leave a status as it is that another writer changed meanwhile: it counts if the generation rose, as it does for a kind
// without the status subresource.
func (w *write) tellStatus(obj client.Object, after *objectFacts, raised bool) {
	if w.sub != "" && w.sub != statusResource || isPartial(obj) {
		return
	}
	before := w.session.asRead(w.name)
	if before == nil || before.status == nil || before.uid != after.uid {
		return
	}
	status := readStatus(obj)
	after.status = &status
	if w.sub == "" && w.verb != verbUpdate && !raised {
		return
	}
	addConditionEvents(w.span, *before.status, status)
	readiness, converges := w.client.converge.of(w.name.kind, obj)
	if !converges {
		return
	}
	_, was := readiness.reached(*before.status, before.generation)
	_, is := readiness.reached(status, after.generation)
	if is && (!was || before.generation != after.generation) {
		w.converged(obj, after)
	}
}
