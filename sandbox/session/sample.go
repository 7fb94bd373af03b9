package session

import (
	"context"
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
)

// StartSample applies the sample and waits for its condition. If RenewSample is set, or if
// SampleLost reports that Jaeger no longer has its trace, it deletes the sample first, with the
// objects that its operator created for it. If the control plane is traced, the sample's trace
// starts at the request.
func (s *Session) StartSample(ctx context.Context, report Report) error {
	target, err := s.Target()
	if err != nil {
		return err
	}
	sample := manifest.Sample(*s.subject)
	renew := s.RenewSample
	if !renew && s.SampleLost != nil {
		if renew, err = s.SampleLost(ctx); err != nil {
			return err
		}
		if renew {
			report("recreating it, since Jaeger lost its trace")
		}
	}
	if renew {
		// An object of another owner with the name of the sample would be taken over.
		if _, err := apply.Look(ctx, target, sample.Objects); err != nil {
			return fmt.Errorf("recreating the sample: %w", err)
		}
		if err := sample.DeleteWithDependents(ctx, target); err != nil {
			return err
		}
	}
	if s.TracesControlPlane() {
		err = s.ApplyTraced(ctx, sample)
	} else {
		err = s.Untrace(ctx)
	}
	if err != nil {
		return err
	}
	if err := sample.Install(ctx, target, report); err != nil { // Applied objects are not written again.
		return fmt.Errorf("starting the sample: %w", err)
	}
	report("%s", sample.Version)
	return nil
}
