package feed

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// sink passes the objects of one reflector on. The reflector calls it from one goroutine.
type sink struct {
	run    *run
	ctx    context.Context
	first  bool // the resource is one of the first, before Synced
	isCore bool // of the core group
	once   sync.Once
	// replaced and watches are true after the first list, and after the first watch.
	replaced, watches atomic.Bool
	failing           bool // the last request failed
	kind              schema.GroupVersionKind
	known             map[types.UID]string // the resourceVersions of objects; nil before the first list
	latest            uint64               // the highest resourceVersion
}

var _ cache.ReflectorStore = (*sink)(nil)

// listed counts the resource as ready if it was listed and its watch is open: without the watch, all
// changes would arrive at once, when it opens.
func (s *sink) listed() {
	if s.replaced.Load() && s.watches.Load() {
		s.skip()
	}
}

// skip counts the resource as ready, or as one that is not waited for.
func (s *sink) skip() {
	s.once.Do(s.run.listed)
}

func (s *sink) send(c writes.Change) {
	c.At = time.Now()
	select {
	case s.run.changes <- c:
	case <-s.ctx.Done():
	}
}

func (s *sink) put(obj any, c writes.Change) error {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("got %T, want an unstructured object", obj)
	}
	s.kind, s.latest = u.GroupVersionKind(), max(s.latest, revisionOf(u))
	if c.Object = u; c.Deleted || c.IsEvent() {
		delete(s.known, u.GetUID())
	} else if u.GetUID() != "" { // Some aggregated APIs have objects without a UID, which no store keeps.
		s.known[u.GetUID()] = u.GetResourceVersion()
	}
	s.run.see(c)
	s.send(c)
	return nil
}

// revisionOf returns the resourceVersion as a number; 0 if it is none.
func revisionOf(u *unstructured.Unstructured) uint64 {
	revision, _ := strconv.ParseUint(u.GetResourceVersion(), 10, 64) // 0 on an error.
	return revision
}

// Add implements [cache.ReflectorStore].
func (s *sink) Add(obj any) error { return s.put(obj, writes.Change{}) }

// Update implements [cache.ReflectorStore].
func (s *sink) Update(obj any) error { return s.put(obj, writes.Change{}) }

// Delete implements [cache.ReflectorStore].
func (s *sink) Delete(obj any) error { return s.put(obj, writes.Change{Deleted: true}) }

// Resync implements [cache.ReflectorStore].
func (s *sink) Resync() error { return nil }

// gone returns what is known of an object that a list does not have any more: the resourceVersion
// of its removal is at most the list's.
func (s *sink) gone(uid types.UID, revision string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(s.kind)
	u.SetUID(uid)
	u.SetResourceVersion(revision)
	return u
}

// Replace implements [cache.ReflectorStore]. The first list has objects that existed before, unless
// their kind is new. A later one follows a watch that broke: versions may be lost.
func (s *sink) Replace(list []any, revision string) error {
	again, latest := s.known != nil, s.latest
	if again && isOlder(revision, latest) {
		s.run.wentBack()
		return nil
	}
	first := s.run.listedAt(revision, s.first && s.isCore)
	missing := s.known
	s.known = map[types.UID]string{}
	s.run.mu.Lock()
	began := s.run.began
	s.run.mu.Unlock()
	for _, obj := range list {
		u, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("got %T, want an unstructured object", obj)
		}
		before := missing[u.GetUID()]
		delete(missing, u.GetUID())
		isNew := again || !s.first && isSince(u, first) && !u.GetCreationTimestamp().Time.Before(began)
		if before != "" && before == u.GetResourceVersion() {
			s.known[u.GetUID()] = before
			continue
		}
		if again && (writes.Change{Object: u}).IsEvent() && revisionOf(u) <= latest { // It was delivered before the watch broke.
			continue
		}
		if err := s.put(u, writes.Change{Listed: !isNew, Lost: isNew}); err != nil {
			return err
		}
	}
	for uid := range missing {
		s.send(writes.Change{Object: s.gone(uid, revision), Deleted: true, Lost: true})
	}
	s.replaced.Store(true)
	s.listed()
	return nil
}

// isOlder reports whether a list has an earlier state than a resourceVersion. Both are of one
// resource, which some aggregated APIs do not number.
func isOlder(list string, than uint64) bool {
	at, err := strconv.ParseUint(list, 10, 64)
	return err == nil && at < than
}

// wentBack ends the run with errOlder.
func (r *run) wentBack() {
	select {
	case r.older <- struct{}{}:
	default: // Another resource was first.
	}
}

// listed counts a resource as listed, or the first search as done.
func (r *run) listed() {
	r.mu.Lock()
	r.pending--
	first := r.pending == 0 && !r.synced
	r.synced = r.synced || first
	r.mu.Unlock()
	if first && r.Synced != nil {
		r.Synced()
	}
}
