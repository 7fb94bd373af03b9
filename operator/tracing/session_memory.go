package tracing

import (
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// isReconciled reports whether an object of this type, kind and name is the reconciled object.
func (s *session) isReconciled(obj client.Object, gvk schema.GroupVersionKind, key types.NamespacedName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isAbout(obj, gvk, key)
}

// isAbout is isReconciled for a caller that holds the lock. If the reconciler's scheme did not know
// the type, the Go type decides, except for types that fit any kind.
func (s *session) isAbout(obj client.Object, gvk schema.GroupVersionKind, key types.NamespacedName) bool {
	if key != s.key || key.Name == "" { // a request may name no single object
		return false
	}
	if _, anyKind := obj.(runtime.Unstructured); anyKind || isPartial(obj) {
		return gvk.GroupKind() == s.gvk.GroupKind()
	}
	return reflect.TypeOf(obj) == s.typ || gvk.GroupKind() == s.gvk.GroupKind()
}

// remember stores the facts of an object as the reconcile read it. If the memory is full, it stores
// no new objects. The first read of the reconciled object stays the one that decides the relation.
// The status of a listed object is not read, because that takes the longest.
func (s *session) remember(gvk schema.GroupVersionKind, obj client.Object, listed bool) {
	name := objectName{gvk.GroupKind(), client.ObjectKeyFromObject(obj)}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(name)
	primary := s.object == nil && s.isAbout(obj, gvk, name.name)
	if i < 0 && len(s.reads) >= maxReads && !primary {
		return
	}
	f := s.newFacts(factsOf(obj))
	if annotations := obj.GetAnnotations(); len(annotations) > 0 && s.cfg.hasContext(annotations) {
		if stored, ok := s.cfg.extract(s.ctx, obj, levelReconcile); ok {
			f.stored = &stored
		}
	}
	if (primary || !listed) && !isPartial(obj) {
		status := readStatus(obj)
		f.status = &status
	}
	s.keep(i, name, f)
	if primary {
		s.gvk, s.object = gvk, f
		s.readiness, _ = s.cfg.converge.of(gvk.GroupKind(), obj)
		s.objStart = s.generationStart(f, obj)
	}
}

// rememberWritten stores the facts in the response of a write.
func (s *session) rememberWritten(name objectName, f *objectFacts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(name); i >= 0 || len(s.reads) < maxReads {
		s.keep(i, name, s.newFacts(*f))
	}
}

// newFacts copies f, the first copies into the session itself. Facts do not change afterwards,
// because a caller may still read them without the lock. The caller holds the lock.
func (s *session) newFacts(f objectFacts) *objectFacts {
	if s.facts == len(s.firstFacts) {
		kept := f // f itself stays off the heap
		return &kept
	}
	stored := &s.firstFacts[s.facts]
	*stored = f
	s.facts++
	return stored
}

// generationStart estimates the start of an object's generation. For the first generation this is
// the creation, else the last write that was not a subresource's, else the first time that this
// process saw the generation. The first two have a resolution of one second; within that second the
// third is used.
func (s *session) generationStart(f *objectFacts, obj client.Object) time.Time {
	seen := s.cfg.causes.seen(f.uid, f.generation, s.start)
	stamp := f.created
	if f.generation > 1 {
		stamp = mainWritten(obj)
	}
	if stamp.IsZero() || !seen.Before(stamp) && seen.Sub(stamp) < time.Second {
		return seen
	}
	return stamp
}

// knownGenerationStart returns the start of an object's generation, as stored by the reconcile if
// it reconciles the object.
func (s *session) knownGenerationStart(f *objectFacts) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.object != nil && s.object.uid == f.uid && s.object.generation == f.generation {
		return s.objStart
	}
	return s.cfg.causes.seen(f.uid, f.generation, s.cfg.now())
}

// rememberAbsent records that the object does not exist.
func (s *session) rememberAbsent(gvk schema.GroupVersionKind, key types.NamespacedName) {
	name := objectName{gvk.GroupKind(), key}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(name); i >= 0 || len(s.reads) < maxReads {
		s.keep(i, name, nil)
	}
}

// keep stores the facts at the index that find returned. The caller holds the lock.
func (s *session) keep(i int, name objectName, f *objectFacts) {
	if i >= 0 {
		s.reads[i].facts = f
		return
	}
	s.reads = append(s.reads, read{name, f})
}

// find returns the index of an object among the reads, or -1. The caller holds the lock.
func (s *session) find(name objectName) int {
	return slices.IndexFunc(s.reads, func(r read) bool { return r.objectName == name })
}

// asRead returns the facts of an object as this reconcile last read it. It returns nil if the
// object does not exist or was not read.
func (s *session) asRead(name objectName) *objectFacts {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(name); i >= 0 {
		return s.reads[i].facts
	}
	return nil
}
