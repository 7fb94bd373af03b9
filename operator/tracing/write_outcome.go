package tracing

import (
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// recordFinalizers records the finalizers that a write added or removed. It renames the span after
// them if the generation did not rise. If the write did both, the removal decides the name, because
// it can release the object.
func (w *write) recordFinalizers(after *objectFacts, raised bool) {
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

// intent returns the effect of a write on its object. The effect of a failed write is unknown,
// unless the verb implies it.
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
		return intentOther // the kind has no generations, or the write failed
	case raised:
		return intentDesired
	default:
		return intentMetadata
	}
}

// recordStatus records changes of the status of an object that the reconcile read before. The
// response of a patch may contain a status that another writer changed meanwhile. So a patch counts
// only if the generation rose, which includes status changes of kinds without the status
// subresource.
func (w *write) recordStatus(obj client.Object, after *objectFacts, raised bool) {
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
