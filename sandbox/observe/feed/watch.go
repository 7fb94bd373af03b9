// Package feed watches a cluster, and passes the changes of its objects to an [observe.Observer]. It
// only reads.
package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/readonly"
	"github.com/operator-tracing/sandbox/sandbox/observe/related"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

const (
	// tick is the interval of [observe.Observer.Advance].
	tick = 50 * time.Millisecond
	// rediscovery is the interval at which new kinds are searched, beside after each change of a
	// CustomResourceDefinition.
	rediscovery = time.Minute
	// settle is how long a new CustomResourceDefinition gets until its kind is served.
	settle = 200 * time.Millisecond
	// maxListing is how long causes wait for the objects of a kind that is watched later.
	maxListing = 2 * time.Second
	// syncLimit is how long a resource is waited for at the start. An aggregated API can accept a
	// request and never answer.
	syncLimit = 15 * time.Second
	// maxCut is how long causes are not decided while the API server is not reached: the watches open
	// again one after the other.
	maxCut = 30 * time.Second
	// maxRetry is the longest pause between two requests for a resource that fail.
	maxRetry = 10 * time.Second
)

// Watcher watches a cluster, and passes each change to an [observe.Observer]. It sends only list and watch
// requests, and discovery.
type Watcher struct {
	// Config is the API server, with a user that may list and watch. Required.
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
func (w *Watcher) Run(ctx context.Context, o *observe.Observer) error {
	config := rest.CopyConfig(w.Config)
	r := &run{Watcher: w, observer: o, skipped: map[schema.GroupVersionResource]bool{}}
	config.Wrap(r.readClock)
	var err error
	if r.client, err = readonly.New(config); err != nil {
		return err
	}
	for err = r.run(ctx); errors.Is(err, errOlder); err = r.run(ctx) {
		r.observer.Fail(err)
		o.Forget()
		r.again = true
	}
	return err
}

// target is a resource in a namespace; "" is all.
type target struct {
	resource        schema.GroupVersionResource
	kind, namespace string
}

// run is one call of Run.
type run struct {
	*Watcher
	client   *readonly.Client
	observer *observe.Observer
	again    bool // the run before ended with errOlder
	changes  chan writes.Change
	older    chan struct{} // has an element after a list that is older than what was watched
	kinds    chan struct{} // has an element if kinds may have changed
	group    sync.WaitGroup
	held     time.Time // since when causes wait for lists

	mu         sync.Mutex
	ctx        context.Context // of the reflectors
	began      time.Time       // by the clock of the API server
	reflectors map[target]context.CancelFunc
	search     *search // nil if all kinds are watched
	skipped    map[schema.GroupVersionResource]bool
	pending    int // the number of resources that are not listed, and one for the first search
	synced     bool
	revision   uint64               // of the first lists
	cut        map[target]time.Time // the watches that do not reach the API server, with their first failure
}

func (r *run) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer r.group.Wait()
	defer cancel()
	r.reset(ctx)
	if err := r.discoverFirst(); err != nil {
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
			if !r.isCut() && !r.isListing(now) {
				r.drain() // Of a kind that causes have waited for.
				r.observer.Advance(ctx, now)
			}
		case <-r.older:
			r.end(ctx)
			return errOlder
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
	soon := false // Further changes do not delay the search.
	ticker := time.NewTicker(searchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.kinds:
			if !soon {
				timer.Reset(settle)
			}
			soon = true
			continue
		case now := <-ticker.C:
			if r.isSearchDue(now) {
				r.searchDependents(ctx)
			}
			continue
		case <-timer.C:
		}
		if err := r.discover(); err != nil && ctx.Err() == nil {
			r.observer.Fail(err)
		}
		soon = false
		timer.Reset(r.interval())
	}
}

// discover starts a reflector for each new resource, and ends the reflectors of resources that do not exist any more.
func (r *run) discover() error {
	lists, err := r.client.Discovery.ServerPreferredResourcesWithContext(r.ctx)
	if err != nil && len(lists) == 0 {
		return fmt.Errorf("listing the kinds of the API server: %w", err)
	}
	silent, partial := discovery.GroupDiscoveryFailedErrorGroups(err) // Aggregated APIs that do not answer.
	served := related.Served(lists)
	known := func(t target) bool {
		return err != nil && (!partial || silent[t.resource.GroupVersion()] != nil) ||
			slices.ContainsFunc(served, func(s related.Resource) bool { return s.GroupVersionResource == t.resource })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted := served
	if r.search != nil {
		r.search.Serve(served)
		wanted = r.search.Wanted()
	}
	r.start(wanted)
	for t, cancel := range r.reflectors {
		if !known(t) {
			cancel()
			delete(r.reflectors, t)
		}
	}
	return nil
}

// reflect lists and watches a resource until ctx ends.
func (r *run) reflect(ctx context.Context, t target, first bool) {
	resource := r.client.Resource(t.resource, t.kind).Namespace(t.namespace)
	s := &sink{run: r, ctx: ctx, first: first, isCore: t.resource.Group == ""}
	defer time.AfterFunc(syncLimit, s.skip).Stop()
	defer r.reached(t, true)
	listWatch := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := resource.List(ctx, o)
			return list, r.note(t, s, err)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			if err := r.checkAge(ctx, s, resource, o.ResourceVersion); err != nil {
				return nil, r.note(t, s, err)
			}
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
	options := cache.ReflectorOptions{Logger: &logger, Name: t.resource.String(), Backoff: &wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 10, Cap: maxRetry}}
	cache.NewReflectorWithOptions(listWatch, &unstructured.Unstructured{}, s, options).RunWithContext(ctx)
	s.skip()
}

// note reports a resource that the user may not read, and other errors. The reflector tries again.
func (r *run) note(t target, s *sink, err error) error {
	first := !s.failing // Each outage is one message.
	s.failing = err != nil
	status := apierrors.APIStatus(nil)
	r.reached(t, err == nil || errors.As(err, &status))
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
	case apierrors.IsResourceExpired(err): // The reflector lists again.
	default:
		s.skip() // An API server that is not reached later does not delay the others.
		if first {
			r.observer.Fail(fmt.Errorf("watching %s: %w", t.resource.GroupResource(), err))
		}
	}
	return err
}
