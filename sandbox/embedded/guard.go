package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/sandbox/cause"
	"github.com/operator-tracing/sandbox/sandbox/process"
)

const (
	// settled is how long a process without a readiness check must run before it is ready. A wrong
	// flag or a missing permission ends most programs earlier.
	settled = time.Second
	// guardPoll is the interval between two checks that the processes run.
	guardPoll = 200 * time.Millisecond
)

// Guard calls run with a context that ends if a process exits that was ready before. The error is
// then the reason for the exit. All processes also run when Guard returns nil.
func (c *Cluster) Guard(ctx context.Context, run func(context.Context) error) error {
	guarded, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = wait.PollUntilContextCancel(guarded, guardPoll, false, func(context.Context) (bool, error) { // It ends with guarded.
			err := c.wantGuarded()
			if err != nil {
				cancel(err)
			}
			return err != nil, nil
		})
	}()
	err := run(guarded)
	cancel(nil)
	<-watched
	if died := (*cause.Exit)(nil); errors.As(context.Cause(guarded), &died) {
		return died
	}
	if err == nil {
		err = c.wantGuarded()
	}
	return err
}

// guard adds a process to the processes that Guard watches, or removes it.
func (c *Cluster) guard(name string, ready bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.guarded == nil {
		c.guarded = map[string]bool{}
	}
	c.guarded[name] = ready
}

func (c *Cluster) allGuarded() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.guarded)
}

// wantGuarded returns a [*cause.Exit] if a process that was ready exited. Other errors may be temporary.
func (c *Cluster) wantGuarded() error {
	for name, ready := range c.allGuarded() {
		// A process may have restarted in the meantime.
		if p, err := c.table.Find(name); ready && err == nil && p == nil && c.allGuarded()[name] {
			return c.died(name)
		}
	}
	return nil
}

// died returns the reason for the exit of a process.
func (c *Cluster) died(name string) error {
	err := c.table.Died(name)
	if died := (*process.DiedError)(nil); errors.As(err, &died) {
		return c.explain(died)
	}
	return err
}

// hasSettled returns nil if a process runs long enough to be ready without a readiness check.
func (c *Cluster) hasSettled(name string) error {
	p, err := c.table.Find(name)
	if err == nil && (p == nil || time.Since(p.Started) < settled) {
		err = fmt.Errorf("%s does not run for %s yet", name, settled)
	}
	return err
}
