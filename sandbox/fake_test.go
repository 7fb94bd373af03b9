package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/reset"
)

// fakeCluster is a provider that keeps components in memory. Its methods can be called by several goroutines.
type fakeCluster struct {
	// Kind is the kind of cluster of the components.
	Kind string
	// Config is the way to an API server; nil if there is none.
	Config *rest.Config
	// Before, if not nil, runs at the start of each method that changes something, with the call in
	// the form "fetch jaeger". Its error is the method's.
	Before func(ctx context.Context, call string) error

	mu      sync.Mutex
	calls   []string
	done    map[string]bool
	changes int
	// beforeKeep are the calls before KeepResetPoint; nil before its first call.
	beforeKeep []string
}

var (
	_ provider.Cluster  = (*fakeCluster)(nil)
	_ provider.Resetter = (*fakeCluster)(nil)
)

// Calls returns the calls that succeeded, in their order.
func (c *fakeCluster) Calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

// Changes returns the number of calls that changed something. A repeated call changes nothing.
func (c *fakeCluster) Changes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

func (c *fakeCluster) do(ctx context.Context, call string, report provider.Report) error {
	if c.Before != nil {
		if err := c.Before(ctx, call); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = map[string]bool{}
	}
	if !c.done[call] {
		c.changes++
	}
	c.done[call] = true
	c.calls = append(c.calls, call)
	report("%s", call)
	return nil
}

// Prepare implements [provider.Provider].
func (c *fakeCluster) Prepare(ctx context.Context, report provider.Report) error {
	return c.do(ctx, "prepare", report)
}

// Fetch implements [provider.Provider].
func (c *fakeCluster) Fetch(ctx context.Context, part component.Component, report provider.Report) error {
	return c.do(ctx, "fetch "+part.Name, report)
}

// Deliver implements [provider.Provider].
func (c *fakeCluster) Deliver(ctx context.Context, part component.Component, report provider.Report) error {
	return c.do(ctx, "deliver "+part.Name, report)
}

// Start implements [provider.Provider].
func (c *fakeCluster) Start(ctx context.Context, part component.Component, report provider.Report) error {
	return c.do(ctx, "start "+part.Name, report)
}

// Status implements [provider.Provider]: a component is ready once it was started.
func (c *fakeCluster) Status(ctx context.Context, s *provider.Status) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Cluster = c.Kind
	for _, part := range component.On(c.Kind) {
		shown := provider.Component{Name: part.Name, Ready: c.done["start "+part.Name]}
		if !shown.Ready {
			shown.Message = "not installed"
		} else if part.Check != nil {
			if err := part.Check(ctx, nil); err != nil {
				shown.Ready, shown.Message = false, err.Error()
			}
		}
		s.Components = append(s.Components, shown)
	}
	s.Judge()
	return nil
}

// Logs implements [provider.Provider]: a log is one line with its name.
func (c *fakeCluster) Logs(_ context.Context, out io.Writer, name string, _ provider.LogOptions) error {
	_, err := fmt.Fprintf(out, "log of %s\n", name)
	return err
}

// Down implements [provider.Provider].
func (c *fakeCluster) Down(ctx context.Context, report provider.Report) error {
	if err := c.do(ctx, "down", report); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = nil
	return nil
}

// KeepResetPoint implements [provider.Resetter]. It is not one of the calls, since its failure is none of
// the plan's.
func (c *fakeCluster) KeepResetPoint(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beforeKeep = append([]string{}, c.calls...)
	return nil
}

// Added implements [provider.Resetter].
func (c *fakeCluster) Added(context.Context) ([]string, error) { return nil, nil }

// Reset implements [provider.Resetter].
func (c *fakeCluster) Reset(ctx context.Context, report provider.Report) (reset.Outcome, error) {
	return reset.Outcome{}, c.do(ctx, "reset", report)
}

// RESTConfig implements [provider.Access].
func (c *fakeCluster) RESTConfig() (*rest.Config, error) {
	if c.Config == nil {
		return nil, fmt.Errorf("connecting: no API server")
	}
	return rest.CopyConfig(c.Config), nil
}

// Alive implements [provider.Access].
func (c *fakeCluster) Alive(context.Context) error {
	_, err := c.RESTConfig()
	return err
}

// Reach implements [provider.Access].
func (c *fakeCluster) Reach(context.Context) error { return nil }

// Addresses implements [provider.Access].
func (c *fakeCluster) Addresses() provider.Addresses { return nil }

// Close implements [provider.Access].
func (c *fakeCluster) Close() {}

// fakeGated is a fakeCluster whose control plane starts in stages, as kind's.
type fakeGated struct{ fakeCluster }

var _ provider.Gated = (*fakeGated)(nil)

// AwaitNode implements [provider.Gated].
func (g *fakeGated) AwaitNode(ctx context.Context, report provider.Report) error {
	return g.do(ctx, "node runs", report)
}

// AwaitAPIServer implements [provider.Gated].
func (g *fakeGated) AwaitAPIServer(ctx context.Context, report provider.Report) error {
	return g.do(ctx, "API server", report)
}
