package feed

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// readClock sets the start to the API server's time, which objects have as creationTimestamp.
func (r *run) readClock(next http.RoundTripper) http.RoundTripper {
	return transport(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err == nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			if date, err := http.ParseTime(response.Header.Get("Date")); err == nil && r.began.IsZero() {
				r.began = date
			}
		}
		return response, err
	})
}

type transport func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) { return t(request) }

// isCut reports whether some watches do not reach the API server. Causes are not decided then: watches
// that are open again can deliver writes whose causes the others have not delivered.
func (r *run) isCut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, since := range r.cut {
		if time.Since(since) < maxCut {
			return true
		}
	}
	return false
}

// reached records whether the API server answered a request for a resource.
func (r *run) reached(t target, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, is := r.cut[t]; ok {
		delete(r.cut, t)
	} else if !is {
		r.cut[t] = time.Now()
	}
}

// checkAge ends the run if the resource has an earlier state than the resourceVersion from which a
// watch opens again. Such a watch would be silent: the API server omits changes up to that version.
func (r *run) checkAge(ctx context.Context, s *sink, resource lister, from string) error {
	revision, err := strconv.ParseUint(from, 10, 64)
	if err != nil || !s.watches.Load() {
		return nil // The resource is not numbered, or the list before the first watch was just read.
	}
	list, err := resource.List(ctx, metav1.ListOptions{Limit: 1})
	if err == nil && isOlder(list.GetResourceVersion(), revision) {
		r.wentBack()
	}
	return err
}

// lister is the part of a client that checkAge needs.
type lister interface {
	List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error)
}

// errOlder means that the store of the API server has an earlier state than the watches delivered, as
// after a backup was restored: its resourceVersions repeat.
var errOlder = errors.New("the cluster went back to an earlier state: observing it from its present state on")

// reset forgets the run before.
func (r *run) reset(ctx context.Context) {
	r.ctx, r.pending, r.held, r.revision, r.search = ctx, 1, time.Time{}, 0, nil
	r.changes, r.kinds, r.older = make(chan writes.Change, 1024), make(chan struct{}, 1), make(chan struct{}, 1)
	r.reflectors, r.cut = map[target]context.CancelFunc{}, map[target]time.Time{}
	if len(r.About) > 0 {
		r.search = newSearch(r.About)
	}
}

// discoverFirst is the first discover of a run. After the first run, it tries until ctx ends.
func (r *run) discoverFirst() error {
	err := r.discover()
	if err == nil || !r.again {
		return err
	}
	r.observer.Fail(err)
	return wait.PollUntilContextCancel(r.ctx, time.Second, false, func(context.Context) (bool, error) { return r.discover() == nil, nil })
}
