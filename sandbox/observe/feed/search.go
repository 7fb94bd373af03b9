package feed

import (
	"context"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/operator-tracing/sandbox/sandbox/observe/related"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

const (
	// searchInterval is the shortest pause between two searches for dependents. It doubles after each
	// search that finds none, up to maxSearchInterval.
	searchInterval    = 500 * time.Millisecond
	maxSearchInterval = 30 * time.Second
	// searchTimeout limits a search, and searchLimit the objects of a kind that are looked at.
	searchTimeout = 5 * time.Second
	searchLimit   = 500
	// searchParallel is the number of requests at the same time.
	searchParallel = 8
	// missingInterval is the interval at which the kind of a target is searched that is not served.
	missingInterval = time.Second
)

// search finds the kinds that are related to the objects of a Watcher.
type search struct {
	*related.Kinds
	// changed is true if objects were written since the last search, which was followed by a pause
	// until next.
	changed    bool
	next       time.Time
	pause      time.Duration
	unreadable map[schema.GroupVersionResource]bool
}

func newSearch(about []writes.Object) *search {
	return &search{Kinds: related.New(about), pause: searchInterval, unreadable: map[schema.GroupVersionResource]bool{}}
}

// interval returns when kinds are searched again.
func (r *run) interval() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.search != nil && r.search.IsMissing() {
		return missingInterval
	}
	return rediscovery
}

// see starts to watch the kinds that are related to an object.
func (r *run) see(c writes.Change) {
	if r.search == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.search.changed = r.search.changed || !c.Listed
	if r.search.See(c.Object, !c.Listed) {
		r.start(r.search.Wanted())
	}
}

func (r *run) isSearchDue(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.search != nil && r.search.changed && !now.Before(r.search.next)
}

// searchDependents lists the metadata of the kinds that are not watched, and starts to watch those
// with dependents of watched kinds.
func (r *run) searchDependents(ctx context.Context) {
	if r.search == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	r.mu.Lock()
	r.search.changed = false
	others := r.search.Others()
	r.mu.Unlock()
	var group sync.WaitGroup
	slots := make(chan struct{}, searchParallel)
	for _, resource := range others {
		for _, namespace := range r.namespaces(resource) {
			slots <- struct{}{}
			group.Go(func() {
				defer func() { <-slots }()
				r.searchIn(ctx, resource, namespace)
			})
		}
	}
	group.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.search.next = time.Now().Add(r.search.pause)
	r.search.pause = min(2*r.search.pause, maxSearchInterval)
}

// searchIn searches the objects of one kind. It ignores errors: the next search repeats it.
func (r *run) searchIn(ctx context.Context, resource related.Resource, namespace string) {
	r.mu.Lock()
	skip := r.search.unreadable[resource.GroupVersionResource]
	r.mu.Unlock()
	if skip {
		return
	}
	list, err := r.client.Metadata.Resource(resource.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: searchLimit})
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil && r.search.Depends(resource.GroupKind(), list.Items):
		r.search.pause = searchInterval
		r.start(r.search.Wanted())
	case isRefused(err) && !r.search.unreadable[resource.GroupVersionResource]:
		r.search.unreadable[resource.GroupVersionResource] = true
		if r.Unsearched != nil {
			r.Unsearched(resource.GroupVersionResource, err)
		}
	}
}

// isRefused reports whether a resource cannot be read, now and later.
func isRefused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsNotFound(err)
}

// listedAt returns the resourceVersion of the first lists, which it takes from the lists of the core
// group: an aggregated API server can count otherwise.
func (r *run) listedAt(revision string, first bool) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, err := strconv.ParseUint(revision, 10, 64); err == nil && first {
		r.revision = max(r.revision, n)
	}
	return r.revision
}

// isSince reports whether an object was written after a resourceVersion, or if that is unknown.
func isSince(u *unstructured.Unstructured, revision uint64) bool {
	n, err := strconv.ParseUint(u.GetResourceVersion(), 10, 64)
	return err != nil || n > revision
}

// isListing reports whether causes wait for the objects of a kind that is watched later: an owner, for
// example, may have been created before its dependent.
func (r *run) isListing(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.synced || r.pending == 0 {
		r.held = time.Time{}
		return false
	}
	if r.held.IsZero() {
		r.held = now
	}
	return now.Sub(r.held) < maxListing
}

// start starts the reflectors of resources that have none. The caller holds mu.
func (r *run) start(wanted []related.Resource) {
	for _, resource := range wanted {
		for _, namespace := range r.namespaces(resource) {
			t := target{resource.GroupVersionResource, resource.Kind, namespace}
			if r.reflectors[t] != nil || r.ctx.Err() != nil {
				continue
			}
			reflecting, cancel := context.WithCancel(r.ctx)
			r.reflectors[t] = cancel
			r.pending++
			first := !r.synced
			r.group.Go(func() { r.reflect(reflecting, t, first) })
			if r.Watching != nil {
				r.Watching(t.resource)
			}
		}
	}
}

// namespaces returns the namespaces in which a resource is watched.
func (r *run) namespaces(resource related.Resource) []string {
	if resource.Namespaced && len(r.Namespaces) > 0 {
		return r.Namespaces
	}
	return []string{""}
}
