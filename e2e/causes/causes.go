// Package causes measures how often an observer finds the cause of a write that the operator itself
// recorded.
//
// A [Recording] observes a cluster without the contexts on objects and without the spans of
// operators, so it only has the object stream. [Recording.Compare] compares its inferred causes
// with the causes in the operator's own spans: the trigger of the reconcile that made the write.
package causes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/feed"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

// Recording has the writes of a cluster with their inferred causes. Its methods are safe for
// concurrent use.
type Recording struct {
	mu     sync.Mutex
	writes []*writes.Write
	failed error // The errors of the watches.

	cancel context.CancelFunc
	done   chan struct{}
}

// Start observes a cluster until [Recording.Stop], or until ctx is cancelled. It returns when all
// objects have been listed.
func Start(ctx context.Context, config *rest.Config) (*Recording, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &Recording{cancel: cancel, done: make(chan struct{})}
	synced := make(chan struct{})
	observer := observe.New(observe.Options{Alone: true, Wrote: r.add, Failed: r.fail})
	watcher := feed.Watcher{Config: config, Synced: func() { close(synced) }}
	go func() {
		defer close(r.done)
		r.fail(watcher.Run(ctx, observer))
	}()
	select {
	case <-synced:
		return r, nil
	case <-r.done:
		return nil, errors.Join(r.Stop(), ctx.Err())
	}
}

func (r *Recording) add(w *writes.Write) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, w)
}

func (r *Recording) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = errors.Join(r.failed, err)
}

// Writes returns the writes in a namespace, in the order of their resourceVersions.
func (r *Recording) Writes(namespace string) []*writes.Write {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.writes)
	return slices.DeleteFunc(all, func(w *writes.Write) bool { return w.Object.Namespace != namespace })
}

// Quiet reports whether a namespace had a write after since, and no write in the last period.
func (r *Recording) Quiet(namespace string, since time.Time, period time.Duration) bool {
	all := r.Writes(namespace)
	if len(all) == 0 {
		return false
	}
	last := all[len(all)-1].At
	return last.After(since) && time.Since(last) > period
}

// Compare compares the inferred causes of the writes in a namespace with the causes that operators
// recorded in traces. It returns an error if a write of the field manager is in no trace, or if a
// recorded write was not observed yet. The caller should retry until it returns nil.
func (r *Recording) Compare(namespace, manager string, traces []tracetree.Trace) (Result, error) {
	observed, all := r.Writes(namespace), recorded(traces)
	known := map[string]bool{}
	for _, w := range all {
		known[w.key] = true
	}
	missing := 0
	for _, w := range observed {
		if w.Manager == manager && !known[keyOf(w)] {
			missing++
		}
	}
	result := compare(observed, all)
	if unseen := result.count(Unseen); missing+unseen > 0 {
		return result, fmt.Errorf("%d of %d writes have no span of %s, and %d spans have no write", missing, len(observed), manager, unseen)
	}
	return result, nil
}

// Stop ends the recording, and returns the errors of its watches.
func (r *Recording) Stop() error {
	r.cancel()
	<-r.done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}
