package embedded

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/reset"
)

var _ provider.Resetter = (*Cluster)(nil)

func (c *Cluster) store() (reset.Store, error) {
	etcd, err := c.Cluster.Etcd()
	return reset.Store{Etcd: etcd, Path: c.session.Dir.ResetPoint()}, err
}

// KeepResetPoint implements [provider.Resetter].
func (c *Cluster) KeepResetPoint(ctx context.Context) error {
	store, err := c.store()
	if err != nil {
		return err
	}
	return store.Keep(ctx)
}

// Added implements [provider.Resetter].
func (c *Cluster) Added(ctx context.Context) ([]string, error) {
	store, err := c.store()
	if err != nil {
		return nil, err
	}
	added, err := store.Added(ctx)
	return reset.Names(reset.Users(added)), err
}

// Reset implements [provider.Resetter].
func (c *Cluster) Reset(ctx context.Context, report provider.Report) (reset.Outcome, error) {
	store, err := c.store()
	if err != nil {
		return reset.Outcome{}, err
	}
	out, err := store.Reset(ctx, report)
	if err != nil || !out.Recreated {
		return out, err
	}
	// The garbage collector would delete the dependents of owners that were deleted before.
	names := []string{component.ControllerManager}
	for _, part := range component.On(component.Embedded) {
		if out.Redefined && part.DefinesKinds {
			names = append(names, component.NamesOf(part.Main())...)
		}
	}
	report("restarting %s", strings.Join(names, ", "))
	var group errgroup.Group
	for _, name := range names {
		group.Go(func() error { return c.Cluster.Restart(ctx, name) })
	}
	return out, group.Wait()
}
