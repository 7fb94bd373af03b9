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
	wanted := r.Cluster
	if made := r.Record.Cluster; r.Record.Name != "" {
		if wanted != "auto" && wanted != made {
			return fmt.Errorf("the sandbox %s is up, and it is %s, not %s: take it down first (`make sandbox-down`), or choose another --name",
				r.Name, made, wanted)
		}
		wanted = made
	}
	if err := r.fit(wanted); err != nil {
		return err
	}
	r.chooseTracing()
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
	if mistake := r.fit(component.Embedded); mistake != nil {
		return fmt.Errorf("%w; kind can't run here: %w", mistake, err)
	}
	report("embedded, processes of this machine, as kind can't run here: %s", strings.Join(strings.Fields(err.Error()), " "))
	return r.useEmbedded()
}

// fit is [Options.fit] for the run's options. Without a choice they must fit kind: an existing cluster
// is not chosen automatically.
func (r *Run) fit(kind string) (err error) {
	if kind == "auto" || kind == "" {
		kind = component.Kind
	}
	r.Options, err = r.Options.fit(kind)
	return err
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

// endStrays ends the processes of an embedded cluster whose record was lost: whatever is chosen now, nothing else does.
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
