package writes

// habit is a write that a controller made right after another one, in the same reconcile.
type habit struct{ manager, first, next string }

// times counts the pairs of writes without and with writes in between.
type times struct{ alone, parted int }

func habitOf(first, next *Write) habit {
	return habit{next.loop.manager, first.Verb + " " + first.Object.Kind, next.Verb + " " + next.Object.Kind}
}

// continues reports whether a write can belong to the reconcile of the loop's last write, which may
// be nil.
func (w *Write) continues(own *Write) bool {
	return own != nil && own.Cause.Certainty != "" && w.loop.manager != Kubelet && w.At.Sub(own.At) <= burst
}

// since returns the resourceVersion after which a cause was written: the version of the loop's last write,
// which may be nil. A reconcile writes a status only once. If a write repeats the last one, it belongs to
// a later reconcile, which reacts to anything newer than the cause of the last one.
func (w *Write) since(own *Write) uint64 {
	switch {
	case own == nil:
		return 0
	case own.Cause.Certainty != "" && own.Verb == w.Verb && own.Object.UID == w.Object.UID:
		return own.Cause.Revision
	}
	return own.After
}

// isHabit reports whether a write belongs to the reconcile of the loop's last write although its
// objects were written in between: most times that the controller made both writes, nothing was. A
// status ends a reconcile, so nothing follows it by habit.
func (s *Store) isHabit(w, own *Write) bool {
	h := s.habits[habitOf(own, w)]
	return own.isDesired() && h.alone > 0 && h.alone >= habitRatio*h.parted
}

// learnHabit counts that a write followed the loop's last one, and whether the objects of the loop were
// written in between.
func (s *Store) learnHabit(w, own *Write, parted bool) {
	if !own.isDesired() {
		return
	}
	h := s.habits[habitOf(own, w)]
	if parted {
		h.parted++
	} else {
		h.alone++
	}
	s.habits[habitOf(own, w)] = h
	limit(s.habits, maxManagers)
}

// isDesired reports whether a write changed the desired state of an object.
func (w *Write) isDesired() bool {
	return w.Verb == "create" || w.Verb == "update" || w.Verb == "apply" || w.Verb == VerbDelete
}

// replaces reports whether a write creates an object like the one whose removal is the last write of
// its loop. managedFields do not name the remover, and a controller seldom removes an object to create
// it again: a user did.
func (w *Write) replaces(own *Write) bool {
	return own != nil && own.Verb == VerbRemove && own.Manager == "" &&
		w.Verb == "create" && w.Object.Kind == own.Object.Kind && w.Object.Group == own.Object.Group
}

// isReplica reports whether a write creates another Pod like the loop's last write although the
// scheduler bound a Pod in between. The ReplicaSet controller creates Pods in growing batches
// (slow start), and it does not react to a binding with another Pod.
func (w *Write) isReplica(own, between *Write) bool {
	return own.Verb == "create" && w.Verb == "create" && own.Object.Kind == w.Object.Kind &&
		own.Object.Group == w.Object.Group && between.Verb == VerbBind
}
