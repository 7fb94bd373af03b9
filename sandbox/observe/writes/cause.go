package writes

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// Cause is why a write was made. The zero value means that a user made it.
type Cause struct {
	Certainty Certainty
	// Object, Verb, Writer, Revision and At are of the write that is the cause.
	Object       Object
	Verb, Writer string
	Revision     uint64
	At           time.Time
	// Span is the context of its span, see [Write].
	Span trace.SpanContext
}

func causedBy(w *Write, c Certainty) Cause {
	return Cause{Certainty: c, Object: w.Object, Verb: w.Verb, Writer: w.Writer, Revision: w.After, At: w.At, Span: w.Span}
}

// Certainty is how the written object of a cause is related to the object that the loop reconciles.
type Certainty string

// The relations, the most certain first.
const (
	// Recorded means that the operator recorded the cause.
	Recorded Certainty = "recorded"
	// Same means that the cause is another writer's write of the reconciled object.
	Same Certainty = "same"
	// Owner means that one of both objects owns the other.
	Owner Certainty = "owner"
	// Reference means that the spec of one names the other, in a field with the name of its kind, or
	// selects it by labels.
	Reference Certainty = "reference"
	// Name means that a label of one has the name of the other.
	Name Certainty = "name"
	// Sequence means that no related write is known, and the cause is the loop's own previous write.
	Sequence Certainty = "sequence"
)

// IsCertain reports whether the relation is in the objects and does not depend on names or time.
func (c Certainty) IsCertain() bool {
	return c == Recorded || c == Same || c == Owner || c == Reference
}

// loopOf returns the loop of a write; the zero value if a user made it.
func (s *Store) loopOf(w *Write, v *version) loop {
	if l, found := s.storageLoop(w, v); found {
		return l
	}
	switch w.Verb {
	case VerbBind:
		return loop{kubeScheduler, w.Object}
	case "create":
		if o, found := s.object(v.controller()); found {
			return loop{w.Manager, o}
		}
		if v.controller() != "" { // The owner was not watched.
			return loop{w.Manager, Object{UID: v.controller()}}
		}
		if referrer, found := s.referrer(v, w.Manager); found {
			return loop{w.Manager, referrer}
		}
		return loop{}
	case VerbDelete, VerbRemove:
		return s.deleterOf(w, v)
	case "update", "apply":
		return s.updaterOf(w, v)
	}
	if w.Manager == "" && w.node != "" { // managedFields were stripped.
		return loop{Kubelet, w.Object}
	}
	if w.Manager != "" {
		s.controls[controls{w.Manager, w.Object.Group, w.Object.Kind}] = true
	}
	return loop{w.Manager, w.Object}
}

// updaterOf returns the loop of a write of the desired state: the owner's if the same manager wrote
// the object when it was created, or an object above it, for example a Deployment whose Pod it
// annotates; or the object's own if the manager also writes the status of such objects.
func (s *Store) updaterOf(w *Write, v *version) loop {
	if w.Manager == "" && v.deleting && w.node != "" {
		return loop{Kubelet, w.Object} // The second delete of a Pod, without a grace period.
	}
	uid := w.Object.UID
	for range maxClimb {
		above := s.objects[uid]
		if above == nil {
			break
		}
		if above.creator == w.Manager {
			if o, found := s.object(v.controller()); found {
				return loop{w.Manager, o}
			}
			if o, found := s.referrer(v, w.Manager); found {
				return loop{w.Manager, o}
			}
		}
		uid = v.controller()
		if above = s.objects[uid]; above == nil {
			break
		}
		v = above.now
	}
	if s.controls[controls{w.Manager, w.Object.Group, w.Object.Kind}] {
		return loop{w.Manager, w.Object}
	}
	return loop{}
}

// deleterOf returns the loop of a delete. managedFields do not name its writer: it is the garbage
// collector if an owner is gone or waits for its dependents, and the controller of a Pod's removal is
// the kubelet.
func (s *Store) deleterOf(w *Write, v *version) loop {
	if w.Verb == VerbRemove && v.deleting {
		if w.node != "" {
			return loop{Kubelet, w.Object}
		}
		return loop{w.Manager, w.Object} // The last finalizer was removed.
	}
	for _, o := range v.owners {
		known := s.objects[o.uid]
		if known == nil {
			continue
		}
		gone := known.gone && known.now.revision < w.After // A later removal may have arrived.
		if gone || known.now.deleting && known.now.foreground {
			return loop{garbage, known.now.object}
		}
	}
	self := s.objects[w.Object.UID]
	if o, found := s.object(v.controller()); found && self != nil {
		return loop{self.creator, o}
	}
	return loop{}
}

// causeOf returns the cause of a write: the latest earlier write that its loop reacts to.
//
// A loop reacts to the newest write of the object or of its dependents since its own last write, or
// since that write's cause if it repeats it. It reacts to objects that are only referred to if there is
// no such write. Without any, or if the controller has the habit, the write belongs to the reconcile of
// the loop's last write, and has its cause; after a pause, that write is the cause.
func (s *Store) causeOf(w *Write) Cause {
	if w.loop == (loop{}) {
		return Cause{}
	}
	own := s.lastOf(w.loop, w.After)
	if w.replaces(own) {
		return causedBy(own, Owner)
	}
	best := s.newest(w, own)
	if w.continues(own) {
		same := best.write == nil || s.isHabit(w, own) || w.isReplica(own, best.write)
		s.learnHabit(w, own, best.write != nil)
		if same {
			return own.Cause
		}
	}
	switch {
	case best.write != nil:
	case own == nil:
		// Only then: a controller seldom watches the owners of its objects.
		if known := s.objects[w.loop.object.UID]; known != nil {
			for _, o := range known.now.owners {
				best.consider(w, s.objects[o.uid], Owner)
			}
		}
	default: // The kubelet works on a Pod without pauses.
		best = candidate{own, Sequence}
	}
	if best.write == nil || w.At.Sub(best.write.At) > pauseOf(w) {
		return Cause{}
	}
	return causedBy(best.write, best.certainty)
}

// newest returns the newest write that a loop reacts to since its own last write, which may be nil.
func (s *Store) newest(w, own *Write) candidate {
	since := w.since(own)
	var firm, loose candidate
	reconciled := w.loop.object.UID
	firm.consider(w, s.objects[reconciled], Same)
	for uid, certainty := range s.watchedBy(reconciled) {
		if certainty == Owner {
			firm.consider(w, s.objects[uid], certainty)
		} else {
			loose.consider(w, s.objects[uid], certainty)
		}
	}
	switch {
	case firm.isAfter(since):
		return firm
	case loose.isAfter(since):
		return loose
	}
	return candidate{}
}

// candidate is the latest of the writes that may be a cause.
type candidate struct {
	write     *Write
	certainty Certainty
}

// consider adds the latest write of an object before w that is not of w's own loop. The object can be
// nil.
func (c *candidate) consider(w *Write, of *known, certainty Certainty) {
	if of == nil {
		return
	}
	for _, earlier := range slices.Backward(of.writes) {
		if earlier.After >= w.After || earlier.loop == w.loop {
			continue
		}
		if w.loop.manager == garbage && earlier.Verb != VerbDelete && earlier.Verb != VerbRemove {
			continue // The collector reacts only to deletes.
		}
		if c.write == nil || earlier.After > c.write.After {
			*c = candidate{earlier, certainty}
		}
		return
	}
}

func (c *candidate) isAfter(revision uint64) bool {
	return c.write != nil && c.write.After > revision
}

// pauseOf returns how long before a write its cause can be. A delete has no writer, so a late one is
// a user's.
func pauseOf(w *Write) time.Duration {
	if w.Manager == "" && (w.Verb == VerbDelete || w.Verb == VerbRemove) && w.loop.manager != garbage && w.loop.manager != Kubelet {
		return maxDeletePause
	}
	return maxPause
}

// watchedBy returns the objects whose writes a controller of an object reacts to, except the object.
func (s *Store) watchedBy(reconciled types.UID) map[types.UID]Certainty {
	found := map[types.UID]Certainty{}
	known := s.objects[reconciled]
	if known == nil {
		return found
	}
	of := known.now
	for _, uid := range s.selected(of) {
		found[uid] = Reference
	}
	add := func(uid types.UID, certainty Certainty) {
		if certainty != "" && found[uid] != Reference {
			found[uid] = certainty
		}
	}
	for _, m := range of.mentions {
		for _, namespace := range []string{of.object.Namespace, ""} {
			for uid := range s.named[place{namespace, m.name}] {
				add(uid, of.mentionOf(s.objects[uid].now.object))
			}
		}
	}
	for uid := range s.mentioning[of.object.Name] {
		add(uid, s.objects[uid].now.mentionOf(of.object))
	}
	for uid := range s.owned[reconciled] {
		found[uid] = Owner
	}
	delete(found, reconciled)
	return found
}

// selected returns the objects that an object selects by labels, unless its own objects own them:
// a Deployment reacts to its ReplicaSet, not to each change of their Pods.
func (s *Store) selected(of *version) []types.UID {
	if len(of.selector) == 0 || len(s.owned[of.object.UID]) > 0 && of.object.Kind != "Service" {
		return nil
	}
	var found []types.UID
	selector := labels.SelectorFromSet(of.selector)
	for uid := range s.objectsIn[of.object.Namespace] {
		o := s.objects[uid]
		if o.now.object.Kind == "Pod" && selector.Matches(labels.Set(o.now.labels)) {
			found = append(found, uid)
		}
	}
	return found
}
