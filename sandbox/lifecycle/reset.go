package lifecycle

import (
	"context"
	"fmt"
	"slices"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/reset"
)

// KeepResetPoint is the step that keeps the state to which Reset returns. A failure is a notice, since
// all else works.
func (s *Sandbox) KeepResetPoint(ctx context.Context, _ report) error {
	r, ok := s.cluster.(provider.Resetter)
	if !ok {
		return nil
	}
	if err := r.KeepResetPoint(ctx); err != nil && ctx.Err() == nil {
		s.Notef(" ! %s will not work: %v", hint.Run("reset"), err)
	}
	return ctx.Err()
}

// resetter returns the cluster, after a check that its API server answers.
func (s *Sandbox) resetter(ctx context.Context) (provider.Resetter, error) {
	if err := s.Attach(); err != nil {
		return nil, err
	}
	r, ok := s.cluster.(provider.Resetter)
	if !ok {
		return nil, fmt.Errorf("clusters of this kind can't be reset: %s", s.kind)
	}
	if err := s.cluster.Alive(ctx); err != nil {
		return nil, fmt.Errorf("%w%s", err, provider.Repairs())
	}
	return r, nil
}

// Added attaches to the cluster and names the objects that Reset deletes, without the sample.
func (s *Sandbox) Added(ctx context.Context) ([]string, error) {
	r, err := s.resetter(ctx)
	if err != nil {
		return nil, err
	}
	return r.Added(ctx)
}

// Reset deletes the objects that the sandbox did not install, and the sample. repair is true if a
// component is not ready afterwards, so that up has to repair it.
func (s *Sandbox) Reset(ctx context.Context, report report) (out reset.Outcome, repair bool, err error) {
	r, err := s.resetter(ctx)
	if err != nil {
		return out, false, err
	}
	if out, err = r.Reset(ctx, report); err != nil {
		return out, false, err
	}
	status, err := s.Status(ctx)
	repair = slices.ContainsFunc(status.Components, func(c provider.Component) bool { return !c.Ready && c.Name != component.Sample })
	s.OperatorEnv = s.Record.OperatorEnv // An up without them changes the operator.
	return out, repair, err
}
