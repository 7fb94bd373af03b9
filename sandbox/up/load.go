package up

import (
	"context"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
)

// AttachToLoad connects to the cluster that runs, to give it a new build of its operator.
func (r *Run) AttachToLoad(ctx context.Context, report report) error {
	if err := r.Attach(); err != nil {
		return err
	}
	if err := r.useBuilder(); err != nil {
		return err
	}
	if err := r.useProject(); err != nil {
		return err
	}
	if r.Embedded() {
		if err := r.useEmbedded(); err != nil {
			return err
		}
		if err := r.PrepareProcesses(ctx, report); err != nil {
			return err
		}
	} else if r.existing {
		if _, err := r.Target(); err != nil {
			return err
		}
		if err := r.chooseDelivery(ctx, report); err != nil {
			return err
		}
	} else if err := r.FindEngine(ctx, report); err != nil {
		return err
	}
	if _, err := r.Target(); err != nil {
		return err
	}
	report("%s", r.project.Name())
	return r.saveSubject()
}

// DefineOperatorKinds defines the operator's kinds, which may have changed with it.
func (r *Run) DefineOperatorKinds(ctx context.Context, _ report) error {
	component, err := r.operatorComponent()
	if err != nil {
		return err
	}
	return apply.Apply(ctx, r.target, component.Definitions())
}

// RenewSample deletes the sample with all that was made for it, and applies it anew, so that it is the new build that makes its trace.
func (r *Run) RenewSample(ctx context.Context, report report) error {
	component := manifest.Sample(*r.runs)
	if err := component.DeleteWithDependents(ctx, r.target); err != nil {
		return err
	}
	return r.installSample(ctx, component, report)
}
