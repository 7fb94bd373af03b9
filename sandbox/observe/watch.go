package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/operator-tracing/sandbox/sandbox/observe/related"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

const (
	// tick is the interval of [Observer.Advance].
	tick = 50 * time.Millisecond
	// rediscovery is the interval at which new kinds are searched, beside after each change of a
	// CustomResourceDefinition.
	rediscovery = time.Minute
	// settle is how long a new CustomResourceDefinition gets until its kind is served.
	settle = 200 * time.Millisecond
	// maxListing is how long causes wait for the objects of a kind that is watched later.
	maxListing = 2 * time.Second
)

// Watcher watches a cluster, and passes each change to an [Observer]. It sends only list and watch
// requests, and discovery.
type Watcher struct {
	// Config is the API server, with a user who may list and watch. Required.
	Config *rest.Config
	// Namespaces limits the watches of namespaced objects. Empty: all.
	Namespaces []string
	// About limits the watches to the kinds of these objects and to related kinds, which are added as
	// they appear; see package related. An empty name is any object of the kind. Empty: all kinds.
	About []writes.Object
	// Synced is called once, when all resources that can be watched have been listed. nil ignores it.
	Synced func()
	// Watching is called when the watch of a resource starts, once for each namespace. nil ignores it.
	Watching func(schema.GroupVersionResource)
	// Skipped is called for each resource that the user may not list or watch, once. nil ignores it.
	Skipped func(schema.GroupVersionResource, error)
	// Unsearched is called, once, for each resource that the user may not list to find dependents of
	// the objects in About. nil ignores it.
	Unsearched func(schema.GroupVersionResource, error)
}

// Run watches until ctx ends, and returns nil then. Writes that arrive until the end are exported,
// within five seconds. It returns an error if the API server cannot be reached at the start.
func (w *Watcher) Run(ctx context.Context, o *Observer) error {
	client, err := dynamic.NewForConfig(w.Config)
	if err != nil {
		return fmt.Errorf("creating a client: %w", err)
	}
	discover, err := discovery.NewDiscoveryClientForConfig(w.Config)
	if err != nil {
		return fmt.Errorf("creating a discovery client: %w", err)
	}
	r := &run{
		Watcher: w, client: client, discovery: discover, observer: o, began: time.Now(), pending: 1,
		changes: make(chan writes.Change, 1024), kinds: make(chan struct{}, 1), reflectors: map[target]context.CancelFunc{}, skipped: map[schema.GroupVersionResource]bool{},
	}
	if len(w.About) > 0 {
		if r.search, err = newSearch(w); err != nil {
			return err
		}
	}
	return r.run(ctx)
}

// target is a resource in a namespace; "" is all.
type target struct {
	resource  schema.GroupVersionResource
	namespace string
}

// run is one call of Run.
type run struct {
	*Watcher
	client    dynamic.Interface
	discovery discovery.DiscoveryInterface
	observer  *Observer
	began     time.Time
	changes   chan writes.Change
	kinds     chan struct{} // has an element if kinds may have changed
	group     sync.WaitGroup
	held      time.Time // since when causes wait

	mu         sync.Mutex
	ctx        context.Context // of the reflectors
	reflectors map[target]context.CancelFunc
	search     *search // nil if all kinds are watched
	skipped    map[schema.GroupVersionResource]bool
	pending    int // the number of resources that are not listed, and one for the first search
	synced     bool
	revision   uint64 // of the first lists
}

func (r *run) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer r.group.Wait()
	defer cancel()
	r.ctx = ctx
	if err := r.discover(); err != nil {
		return err
	}
	r.group.Go(func() {
		r.searchDependents(ctx)
		r.listed()
		r.rediscover(ctx)
	})
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case c := <-r.changes:
			r.add(c)
		case now := <-ticker.C:
			if !r.isListing(now) {
				r.drain() // Of a kind that causes have waited for.
				r.observer.Advance(ctx, now)
			}
		case <-ctx.Done():
			r.end(ctx)
			return nil
		}
	}
}

// end exports what has arrived.
func (r *run) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	r.drain()
	r.observer.Flush(ctx, time.Now())
}

func (r *run) drain() {
	for {
		select {
		case c := <-r.changes:
			r.add(c)
		default:
			return
		}
	}
}

func (r *run) add(c writes.Change) {
	if kind := c.Object.GetKind(); !c.Listed && (kind == "CustomResourceDefinition" || kind == "APIService") {
		select {
		case r.kinds <- struct{}{}:
		default: // It will be searched anyway.
		}
	}
	r.observer.Add(c)
}

// rediscover searches for kinds until ctx ends.
func (r *run) rediscover(ctx context.Context) {
	timer := time.NewTimer(r.interval())
	defer timer.Stop()
	ticker := time.NewTicker(searchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.kinds:
			timer.Reset(settle)
			continue
		case now := <-ticker.C:
			if r.isSearchDue(now) {
				r.searchDependents(ctx)
			}
			continue
		case <-timer.C:
		}
		if err := r.discover(); err != nil {
			r.fail(err)
		}
		timer.Reset(r.interval())
	}
}

func (r *run) fail(err error) {
	if r.observer.options.Failed != nil {
		r.observer.options.Failed(err)
	}
}

// discover starts a reflector for each new resource, and ends those of resources that are gone.
func (r *run) discover() error {
	lists, err := r.discovery.ServerPreferredResources()
	if err != nil && len(lists) == 0 {
		return fmt.Errorf("listing the kinds of the API server: %w", err)
	}
	partial := err != nil // Some groups do not answer: an aggregated API that is down.
	served := related.Served(lists)
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted := served
	if r.search != nil {
		r.search.Serve(served)
		wanted = r.search.Wanted()
	}
	r.start(wanted)
	for t, cancel := range r.reflectors {
		if !partial && !slices.ContainsFunc(served, func(s related.Resource) bool { return s.GroupVersionResource == t.resource }) {
			cancel()
			delete(r.reflectors, t)
		}
	}
	return nil
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

// reflect lists and watches a resource until ctx ends.
func (r *run) reflect(ctx context.Context, t target, first bool) {
	resource := r.client.Resource(t.resource).Namespace(t.namespace)
	s := &sink{run: r, ctx: ctx, first: first, isCore: t.resource.Group == ""}
	listWatch := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := resource.List(ctx, o)
			return list, r.note(t, s, err)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := resource.Watch(ctx, o)
			if err == nil {
				s.watches.Store(true)
				s.listed()
			}
			return w, r.note(t, s, err)
		},
	}
	logger := klog.Logger(logr.Discard())
	ctx = klog.NewContext(ctx, logger) // The reflector also logs to it; see note.
	cache.NewReflectorWithOptions(listWatch, &unstructured.Unstructured{}, s, cache.ReflectorOptions{Logger: &logger, Name: t.resource.String()}).RunWithContext(ctx)
	s.skip()
}

// note reports a resource that the user may not read, and other errors. The reflector tries again.
func (r *run) note(t target, s *sink, err error) error {
	switch {
	case err == nil || errors.Is(err, context.Canceled):
	case isRefused(err):
		s.skip()
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.skipped[t.resource] && r.Skipped != nil {
			r.Skipped(t.resource, err)
		}
		r.skipped[t.resource] = true
	default:
		s.skip() // An API server that is not reached later does not delay the others.
		r.fail(fmt.Errorf("watching %s: %w", t.resource.GroupResource(), err))
	}
	return err
}

// sink passes the objects of one reflector on. The reflector calls it from one goroutine.
type sink struct {
	run    *run
	ctx    context.Context
	first  bool // the resource is one of the first, before Synced
	isCore bool // of the core group
	once   sync.Once
	// replaced and watches are true after the first list, and after the first watch.
	replaced, watches atomic.Bool
	known             map[types.UID]*unstructured.Unstructured // identity and resourceVersion only; nil before the first list
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
	if !isEvent(u) {
		if c.Deleted {
			delete(s.known, u.GetUID())
		} else {
			s.known[u.GetUID()] = identity(u)
		}
	}
	c.Object = u
	s.run.see(c)
	s.send(c)
	return nil
}

// identity returns an object with what identifies it.
func identity(u *unstructured.Unstructured) *unstructured.Unstructured {
	id := &unstructured.Unstructured{Object: map[string]any{}}
	id.SetGroupVersionKind(u.GroupVersionKind())
	id.SetNamespace(u.GetNamespace())
	id.SetName(u.GetName())
	id.SetUID(u.GetUID())
	id.SetResourceVersion(u.GetResourceVersion())
	return id
}

// Add implements [cache.ReflectorStore].
func (s *sink) Add(obj any) error { return s.put(obj, writes.Change{}) }

// Update implements [cache.ReflectorStore].
func (s *sink) Update(obj any) error { return s.put(obj, writes.Change{}) }

// Delete implements [cache.ReflectorStore].
func (s *sink) Delete(obj any) error { return s.put(obj, writes.Change{Deleted: true}) }

// Resync implements [cache.ReflectorStore].
func (s *sink) Resync() error { return nil }

// Replace implements [cache.ReflectorStore]. The first list has objects that existed before, unless
// their kind is new. A later one follows a watch that broke: versions may be lost.
func (s *sink) Replace(list []any, revision string) error {
	again := s.known != nil
	began := s.run.listedAt(revision, s.first && s.isCore)
	missing := s.known
	s.known = map[types.UID]*unstructured.Unstructured{}
	for _, obj := range list {
		u, ok := obj.(*unstructured.Unstructured)
		if !ok {
			return fmt.Errorf("got %T, want an unstructured object", obj)
		}
		before := missing[u.GetUID()]
		delete(missing, u.GetUID())
		isNew := again || !s.first && isSince(u, began) && !u.GetCreationTimestamp().Time.Before(s.run.began.Truncate(time.Second))
		if before != nil && before.GetResourceVersion() == u.GetResourceVersion() {
			s.known[u.GetUID()] = before
			continue
		}
		if err := s.put(u, writes.Change{Listed: !isNew, Lost: isNew}); err != nil {
			return err
		}
	}
	for _, gone := range missing {
		s.send(writes.Change{Object: gone, Deleted: true, Lost: true})
	}
	s.replaced.Store(true)
	s.listed()
	return nil
}
