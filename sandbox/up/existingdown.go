package up

import (
	"context"
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Losses lists objects of others that down would take with it from an existing cluster: those of kinds that the sandbox defined.
// There are none on clusters of the sandbox's own, which go whole.
func (r *Run) Losses(ctx context.Context) ([]string, error) {
	if r.Record.Cluster != component.Existing {
		return nil, nil
	}
	if err := r.Attach(); err != nil {
		return nil, err
	}
	target, err := r.askExisting(ctx)
	if err != nil {
		return nil, err
	}
	inventory, err := apply.Inventory(ctx, target)
	if err != nil {
		return nil, err
	}
	return apply.Losses(ctx, target, inventory)
}

// leaveExisting removes from an existing cluster what the sandbox added to it, and nothing else.
func (r *Run) leaveExisting(ctx context.Context, report report) error {
	target, err := r.askExisting(ctx)
	if err != nil {
		return fmt.Errorf("%w; if the cluster is gone, remove the folder %s", err, r.Dir.Path)
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
	if r.Note != nil {
		for _, stayed := range removed.Stayed {
			r.Note(" ! Left as it is: %s. Remove that, and the namespace by kubectl, if nobody needs it.", stayed)
		}
	}
	return nil
}
