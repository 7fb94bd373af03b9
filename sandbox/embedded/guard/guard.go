// Package guard ends a step of a plan when a process that was ready exits: a wait for an answer of
// such a process would only end with the step's time limit. The entry type is [Guard].
package guard

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/sandbox/cause"
)

// poll is the interval between two checks that the processes run.
const poll = 200 * time.Millisecond

// Guard knows which processes are ready, and watches them. It is safe for concurrent use.
type Guard struct {
	// Exited returns a [*cause.Exit] if a process does not run. Guard ignores other errors, which may
	// be temporary. It must be safe for concurrent use.
	Exited func(name string) error

	mu    sync.Mutex
	ready map[string]bool
}

// Mark adds a process to the processes that [Guard.Run] watches if it is ready, or removes it.
func (g *Guard) Mark(name string, ready bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ready == nil {
		g.ready = map[string]bool{}
	}
	g.ready[name] = ready
}

func (g *Guard) marked() map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.ready)
}

// Run calls run with a context that ends if a process exits that was ready before. The error is
// then the reason for the exit. All processes also run when Run returns nil.
func (g *Guard) Run(ctx context.Context, run func(context.Context) error) error {
	guarded, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = wait.PollUntilContextCancel(guarded, poll, false, func(context.Context) (bool, error) { // It ends with guarded.
			err := g.check()
			if err != nil {
				cancel(err)
			}
			return err != nil, nil
		})
	}()
	err := run(guarded)
	cancel(nil)
	<-watched
	if died, ok := errors.AsType[*cause.Exit](context.Cause(guarded)); ok {
		return died
	}
	if err == nil {
		err = g.check()
	}
	return err
}

// check returns a [*cause.Exit] if a process that was ready exited.
func (g *Guard) check() error {
	for name, ready := range g.marked() {
		if !ready {
			continue
		}
		// A process may have restarted in the meantime.
		if died, ok := errors.AsType[*cause.Exit](g.Exited(name)); ok && g.marked()[name] {
			return died
		}
	}
	return nil
}
