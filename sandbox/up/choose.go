package up

import (
	"context"
	"fmt"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// ChooseCluster decides what the cluster is: what the record says, or what was asked for, or kind where a container engine
// works and its node's image can be had, and embedded elsewhere. It says which, and why.
func (r *Run) ChooseCluster(ctx context.Context, report report) error {
	if err := r.useBuilder(); err != nil {
		return err
	}
	if err := r.useProject(); err != nil {
		return err
	}
	if err := r.endStrays(ctx); err != nil {
		return err
	}
	if err := r.chooseCluster(ctx, report); err != nil {
		return err
	}
	return r.saveSubject()
}

func (r *Run) chooseCluster(ctx context.Context, report report) error {
	r.chooseTracing()
	wanted := r.Cluster
	if made := r.Record.Cluster; r.Record.Name != "" {
		if wanted != "auto" && wanted != made {
			return fmt.Errorf("the sandbox %s is up, and it is %s, not %s: take it down first (`make sandbox-down`), or choose another --name",
				r.Name, made, wanted)
		}
		wanted = made
	}
	if err := r.checkChoice(wanted); err != nil {
		return err
	}
	if wanted == component.Existing {
		return r.useExisting(ctx, report)
	}
	if wanted == component.Embedded {
		report("embedded: processes of this machine")
		return r.useEmbedded()
	}
	err := r.FindEngine(ctx, report)
	if err == nil && wanted == "auto" {
		err = r.nodeImageHindrance(ctx, report)
	}
	if err == nil {
		report("kind, as %s works here (linux/%s)", r.engine.Name, r.engine.Host.Architecture)
		return nil
	}
	if wanted != "auto" || r.Provider != "auto" || r.Images == "registry" || r.bundle != nil || ctx.Err() != nil {
		return err
	}
	report("embedded, processes of this machine, as kind can't run here: %s", strings.Join(strings.Fields(err.Error()), " "))
	return r.useEmbedded()
}

// checkChoice finds options that only now can be held against the kind of cluster.
func (r *Run) checkChoice(chosen string) error {
	o := r.Options
	if o.Cluster = chosen; chosen == "auto" {
		o.Cluster = component.Kind // Existing clusters are never chosen unasked.
	}
	if err := o.checkExisting(); err != nil {
		return fmt.Errorf("%w: %w", ErrOption, err)
	}
	return nil
}

// nodeImageHindrance says why there is no way to the image of kind's node: no registry answers, and this machine can't build
// it. It decides where the images come from in passing.
func (r *Run) nodeImageHindrance(ctx context.Context, report report) error {
	if err := r.ChooseImages(ctx, report); err != nil || r.images.Origin() != "source" {
		return err
	}
	if err := build.CanBuildNode(); err != nil {
		return fmt.Errorf("no registry answers, and %w", err)
	}
	return nil
}

// endStrays ends the processes of an embedded cluster whose record was lost: whatever is chosen now, nobody else would.
func (r *Run) endStrays(ctx context.Context) error {
	if r.Record.Name != "" {
		return nil
	}
	lost, err := r.newProcesses()
	if err != nil {
		return err
	}
	return lost.Down(ctx)
}
