package existing

import (
	"context"
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

// Losses implements [provider.Consenting].
func (c *Cluster) Losses(ctx context.Context) ([]string, error) {
	target, err := c.ask(ctx)
	if err != nil {
		return nil, err
	}
	inventory, err := apply.Inventory(ctx, target)
	if err != nil {
		return nil, err
	}
	return apply.Losses(ctx, target, inventory)
}

// Down removes what the sandbox added.
func (c *Cluster) Down(ctx context.Context, report provider.Report) error {
	target, err := c.ask(ctx)
	if err != nil {
		return fmt.Errorf("%w; if the cluster is gone, remove the folder %s", err, c.session.Dir.Path)
	}
	inventory, err := apply.Inventory(ctx, target)
	if err != nil {
		return err
	}
	removed, err := apply.Remove(ctx, target, inventory, report)
	if err != nil {
		return err
	}
	report("%d objects", removed.Objects)
	for _, stayed := range removed.Stayed {
		c.session.Notef(" ! Not deleted: %s. Delete that and the namespace by kubectl, if they are not needed.", stayed)
	}
	return nil
}

// Scope implements [provider.Consenting]. Secrets are read only in the namespaces of the sandbox's
// logs and objects.
func (c *Cluster) Scope(ctx context.Context) (provider.Scope, error) {
	target, err := c.session.Target()
	if err != nil {
		return provider.Scope{}, err
	}
	found, err := apply.ScopeOf(ctx, target)
	if err != nil {
		return provider.Scope{}, err
	}
	subject, err := c.session.Subject()
	if err != nil {
		return provider.Scope{}, err
	}
	namespaces := found.Namespaces()
	if len(namespaces) == 0 {
		namespaces = []string{subject.Sample().Namespace}
	}
	return provider.Scope{Namespaces: namespaces, Has: found.Has}, nil
}
