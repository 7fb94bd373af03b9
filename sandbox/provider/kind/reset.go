package kind

import (
	"context"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/reset"
)

var _ provider.Resetter = (*Cluster)(nil)

// patience is the time for controllers to remove finalizers. In a sandbox, they have nothing to clean up
// outside the cluster.
const patience = 2 * time.Second

func (c *Cluster) objects(ctx context.Context) ([]reset.Object, error) {
	target, err := c.pods.Target()
	if err != nil {
		return nil, err
	}
	live, err := apply.Objects(ctx, target)
	return reset.ObjectsOf(live), err
}

// KeepResetPoint implements [provider.Resetter].
func (c *Cluster) KeepResetPoint(ctx context.Context) error {
	objects, err := c.objects(ctx)
	if err != nil {
		return err
	}
	return reset.KeepKeys(c.pods.Dir.ResetPoint(), objects)
}

func (c *Cluster) added(ctx context.Context) ([]reset.Object, error) {
	objects, err := c.objects(ctx)
	if err != nil {
		return nil, err
	}
	installed, err := reset.LoadKeys(c.pods.Dir.ResetPoint(), objects)
	if err != nil {
		return nil, err
	}
	return reset.Added(objects, installed), nil
}

// Added implements [provider.Resetter].
func (c *Cluster) Added(ctx context.Context) ([]string, error) {
	added, err := c.added(ctx)
	return reset.Names(reset.Users(added)), err
}

// Reset implements [provider.Resetter].
func (c *Cluster) Reset(ctx context.Context, report provider.Report) (reset.Outcome, error) {
	target, err := c.pods.Target()
	if err != nil {
		return reset.Outcome{}, err
	}
	return reset.Delete(ctx, target, c.added, patience, report)
}
