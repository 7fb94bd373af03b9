package existing

import (
	"context"
	"slices"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/reset"
)

var _ provider.Resetter = (*Cluster)(nil)

// patience is the time for controllers to remove finalizers.
const patience = 30 * time.Second

// KeepResetPoint does nothing: the labels of the sandbox's objects are enough.
func (c *Cluster) KeepResetPoint(context.Context) error { return nil }

// added returns the objects in the sandbox's own namespaces and of its kinds that it did not install.
// All other objects of the cluster are its users'.
func (c *Cluster) added(ctx context.Context) ([]reset.Object, error) {
	target, err := c.ask(ctx)
	if err != nil {
		return nil, err
	}
	scope, err := apply.ScopeOf(ctx, target)
	if err != nil {
		return nil, err
	}
	live, err := apply.Objects(ctx, target)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(reset.Added(reset.ObjectsOf(live), nil), func(o reset.Object) bool {
		obj := kinds.New(o.Kind, o.Namespace, o.Name)
		obj.SetLabels(o.Labels)
		return !scope.Has(obj)
	}), nil
}

// Added implements [provider.Resetter].
func (c *Cluster) Added(ctx context.Context) ([]string, error) {
	added, err := c.added(ctx)
	return reset.Names(reset.Users(added)), err
}

// Reset implements [provider.Resetter].
func (c *Cluster) Reset(ctx context.Context, report provider.Report) (reset.Outcome, error) {
	target, err := c.ask(ctx)
	if err != nil {
		return reset.Outcome{}, err
	}
	return reset.Delete(ctx, target, c.added, patience, report)
}
