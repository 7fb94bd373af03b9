package writes

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
)

// Store has the objects of a cluster and their latest writes. It is not safe for concurrent use.
type Store struct {
	// Applied returns the context of a write if the caller made it and has a span of it. context is
	// on the object. Only a store of NewStore(true) calls it; nil ignores it.
	Applied func(uid types.UID, revision uint64, context trace.SpanContext) trace.SpanContext

	objects map[types.UID]*known
	// owned has the objects that name an owner, named all objects by their place, mentioning the objects
	// that mention a name, and objectsIn the objects of a namespace.
	owned      map[types.UID]map[types.UID]bool
	named      map[place]map[types.UID]bool
	mentioning map[string]map[types.UID]bool
	objectsIn  map[string]map[types.UID]bool
	// controls has the kinds whose status a manager writes.
	controls map[controls]bool
	// instrumented has the managers that trace their own writes.
	instrumented map[string]bool
	alone        bool
	// habits count the writes that controllers make one after the other.
	habits map[habit]times
	// loops has the latest writes of each loop.
	loops map[loop]*Write
	// deleted has the objects that are gone, the oldest first.
	deleted []buried
	swept   time.Time
	room    int // maxObjects
}

type place struct{ namespace, name string }

type controls struct{ manager, group, kind string }

// known is an object with its latest writes, the oldest first.
type known struct {
	now     *version
	gone    bool
	writes  []*Write
	creator string // the manager that created it, or wrote it first before it was watched
}

// NewStore returns an empty store. If the argument is true, it ignores the contexts that operators put
// on objects: their own spans are not shown with the store's spans.
func NewStore(alone bool) *Store {
	return &Store{
		objects: map[types.UID]*known{}, owned: map[types.UID]map[types.UID]bool{}, named: map[place]map[types.UID]bool{},
		mentioning: map[string]map[types.UID]bool{}, objectsIn: map[string]map[types.UID]bool{}, controls: map[controls]bool{}, loops: map[loop]*Write{}, instrumented: map[string]bool{}, habits: map[habit]times{}, alone: alone, room: maxObjects,
	}
}

// Full reports whether new objects are ignored, because too many are known.
func (s *Store) Full() bool { return len(s.objects) >= s.room && len(s.deleted) == 0 }

// Put adds a version. It returns the write that made it; nil if it is not new, existed before, or
// has no UID, as objects of some aggregated APIs.
func (s *Store) Put(c Change) *Pending {
	uid := c.Object.GetUID()
	o := s.objects[uid]
	if uid == "" || o == nil && (c.Deleted || !s.hasRoom()) { // It was created and deleted while no watch was open.
		return nil
	}
	var before *version
	if o != nil {
		before = o.now
	}
	v := digest(c.Object, before)
	if o != nil && (o.gone || !c.Deleted && v.revision <= before.revision) {
		return nil
	}
	if c.Deleted && c.Lost { // Its last version is not known.
		last := *o.now
		last.revision, last.node = v.revision, ""
		v = &last
	}
	if o == nil {
		o = &known{creator: creatorOf(v)}
		s.objects[uid] = o
	}
	s.reindex(before, v)
	o.now, o.gone = v, c.Deleted
	s.learn(v)
	if c.Listed && before == nil {
		return nil
	}
	if c.Deleted {
		s.bury(buried{uid, c.At})
	}
	return &Pending{compare(before, v, c), v, before}
}

// hasRoom reports whether another object can be added. It forgets the oldest deleted one if it must.
func (s *Store) hasRoom() bool {
	for len(s.objects) >= s.room && len(s.deleted) > 0 {
		s.forgetOldest()
	}
	return len(s.objects) < s.room
}

// buried is a deleted object.
type buried struct {
	uid types.UID
	at  time.Time
}

// Pending is a write whose cause is not decided.
type Pending struct {
	// Write has no Writer, Cause and Span yet. Its time can be changed to an earlier one.
	Write         *Write
	after, before *version // before is nil for a create
}

// learn remembers which kinds a manager writes the status of.
func (s *Store) learn(v *version) {
	for m := range v.managers {
		if m.subresource == "status" {
			s.controls[controls{m.name, v.object.Group, v.object.Kind}] = true
		}
	}
	limit(s.controls, maxManagers)
}

// limit forgets any elements of a table beyond its bound.
func limit[K comparable, V any](table map[K]V, bound int) {
	for key := range table {
		if len(table) <= bound {
			return
		}
		delete(table, key)
	}
}

// creatorOf returns the manager of the desired state; of several, the first by name.
func creatorOf(v *version) string {
	var names []string
	for m := range v.managers {
		if m.subresource == "" {
			names = append(names, m.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}

// Resolve decides the loop and the cause of a write, and keeps it as the cause of later writes.
// Writes must be resolved in the order of their resourceVersions.
func (s *Store) Resolve(p *Pending) *Write {
	w, v := p.Write, p.after
	w.loop = s.loopOf(w, v)
	w.Writer = writerOf(w)
	w.Cause = s.causeOf(w)
	if w.Cause.At.After(w.At) {
		w.At = w.Cause.At
	}
	s.assign(w, v, p.before)
	if o := s.objects[w.Object.UID]; o != nil {
		o.writes = append(o.writes, w)
		if len(o.writes) > maxWrites {
			o.writes = slices.Delete(o.writes, 0, len(o.writes)-maxWrites)
		}
	}
	if w.loop != (loop{}) {
		s.loops[w.loop] = w
		limit(s.loops, maxLoops)
		limit(s.instrumented, maxManagers)
		limit(s.controls, maxManagers)
	}
	return w
}

// lastOf returns the last write of a loop before a revision.
func (s *Store) lastOf(l loop, revision uint64) *Write {
	if w := s.loops[l]; w != nil && w.After < revision {
		return w
	}
	return nil
}

func (s *Store) object(uid types.UID) (Object, bool) {
	if o := s.objects[uid]; o != nil {
		return o.now.object, true
	}
	return Object{}, false
}

// referrer returns an object that names another and has a status that the manager writes.
func (s *Store) referrer(v *version, manager string) (Object, bool) {
	best := Certainty("")
	var found Object
	for uid := range s.mentioning[v.object.Name] {
		o := s.objects[uid]
		certainty := o.now.mentionOf(v.object)
		if uid == v.object.UID || o.gone || certainty == "" || best == Reference || !s.controls[controls{manager, o.now.object.Group, o.now.object.Kind}] {
			continue
		}
		best, found = certainty, o.now.object
	}
	for _, m := range v.mentions { // A label with the name of the object that it was created for.
		for uid := range s.named[place{v.object.Namespace, m.name}] {
			if o := s.objects[uid]; m.certainty == Name && best == "" && uid != v.object.UID && v.mentionOf(o.now.object) != "" {
				best, found = Name, o.now.object
			}
		}
	}
	return found, best != ""
}

// bury keeps a deleted object for the causes of later writes, and forgets the oldest at the bound.
func (s *Store) bury(b buried) {
	s.deleted = append(s.deleted, b)
	for len(s.deleted) > maxDeleted {
		s.forgetOldest()
	}
}

// Sweep forgets deleted objects, and writes that can be no cause any more.
func (s *Store) Sweep(now time.Time) {
	if now.Sub(s.swept) < sweep {
		return
	}
	s.swept = now
	for _, o := range s.objects {
		n := 0
		for n < len(o.writes) && now.Sub(o.writes[n].At) > maxPause {
			n++
		}
		if o.writes = slices.Delete(o.writes, 0, n); len(o.writes) == 0 {
			o.writes = nil
		}
	}
	for l, w := range s.loops {
		if now.Sub(w.At) > maxPause {
			delete(s.loops, l)
		}
	}
	for len(s.deleted) > 0 && now.Sub(s.deleted[0].at) > maxPause {
		s.forgetOldest()
	}
}

// forgetOldest forgets the object that was deleted first.
func (s *Store) forgetOldest() {
	uid := s.deleted[0].uid
	s.deleted = s.deleted[1:]
	if o := s.objects[uid]; o != nil {
		s.unindex(o.now)
		delete(s.objects, uid)
	}
}

// reindex replaces a version in the indexes; before can be nil.
func (s *Store) reindex(before, now *version) {
	if before != nil && before.desired == now.desired && slices.Equal(before.owners, now.owners) {
		return
	}
	if before != nil {
		s.unindex(before)
	}
	s.eachIndex(now, add[types.UID], add[place], add[string])
}

func (s *Store) unindex(v *version) { s.eachIndex(v, remove[types.UID], remove[place], remove[string]) }

func (s *Store) eachIndex(v *version, byUID indexer[types.UID], byPlace indexer[place], byName indexer[string]) {
	uid := v.object.UID
	for _, o := range v.owners {
		byUID(s.owned, o.uid, uid)
	}
	byPlace(s.named, place{v.object.Namespace, v.object.Name}, uid)
	byName(s.objectsIn, v.object.Namespace, uid)
	for _, m := range v.mentions {
		byName(s.mentioning, m.name, uid)
	}
}

type indexer[K comparable] func(index map[K]map[types.UID]bool, key K, uid types.UID)

func add[K comparable](index map[K]map[types.UID]bool, key K, uid types.UID) {
	if index[key] == nil {
		index[key] = map[types.UID]bool{}
	}
	index[key][uid] = true
}

func remove[K comparable](index map[K]map[types.UID]bool, key K, uid types.UID) {
	delete(index[key], uid)
	if len(index[key]) == 0 {
		delete(index, key)
	}
}
