package lifecycle

import (
	"context"
	"errors"

	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/provider/embedded"
	"github.com/operator-tracing/sandbox/sandbox/provider/existing"
	"github.com/operator-tracing/sandbox/sandbox/provider/kind"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

// factory creates the provider of one kind of cluster.
type factory struct {
	// attach returns the cluster that is on record.
	attach func(*session.Session) (provider.Cluster, error)
	// choose returns a cluster for an up.
	choose func(context.Context, *session.Session, report) (provider.Cluster, error)
	// load returns a cluster that is up for a new build of its operator.
	load func(context.Context, *session.Session, report) (provider.Cluster, error)
	// recover removes what a sandbox without a record left; nil if it leaves nothing on this machine.
	recover func(context.Context, *session.Session) error
}

// factories is the table of providers.
func factories() map[string]factory {
	return map[string]factory{
		component.Kind: {
			attach: func(s *session.Session) (provider.Cluster, error) { return kind.Attach(s) },
			choose: func(ctx context.Context, s *session.Session, report report) (provider.Cluster, error) {
				c, err := kind.Find(ctx, s)
				if err != nil {
					return nil, err
				}
				name, arch := c.Engine()
				report("kind, as %s works here (linux/%s)", name, arch)
				return c, nil
			},
			load: func(ctx context.Context, s *session.Session, _ report) (provider.Cluster, error) {
				return kind.Find(ctx, s)
			},
			recover: recoverKind,
		},
		component.Embedded: {
			attach: func(s *session.Session) (provider.Cluster, error) { return embedded.Attach(s) },
			choose: func(_ context.Context, s *session.Session, report report) (provider.Cluster, error) {
				report("embedded: processes of this machine")
				return embedded.New(s)
			},
			load: func(ctx context.Context, s *session.Session, report report) (provider.Cluster, error) {
				c, err := embedded.New(s)
				if err != nil {
					return nil, err
				}
				err = c.Prepare(ctx, report)
				return c, err
			},
			recover: func(ctx context.Context, s *session.Session) error {
				c, err := embedded.Attach(s)
				if err != nil {
					return err
				}
				return c.Down(ctx, nil)
			},
		},
		component.Existing: {
			attach: func(s *session.Session) (provider.Cluster, error) { return existing.Attach(s), nil },
			choose: func(ctx context.Context, s *session.Session, report report) (provider.Cluster, error) {
				return existing.New(ctx, s, report)
			},
			load: func(ctx context.Context, s *session.Session, report report) (provider.Cluster, error) {
				return existing.Load(ctx, s, report)
			},
		},
	}
}

// recoverKind deletes clusters that carry the mark of the sandbox, in all engines that work.
func recoverKind(ctx context.Context, s *session.Session) error {
	for _, engine := range engine.RunningEngines(ctx) {
		c, err := cluster.New(engine, s.Name, s.Dir)
		if err != nil {
			return err
		}
		var foreign *cluster.ForeignError
		if err := c.Delete(ctx); err != nil && !errors.As(err, &foreign) {
			return err
		}
	}
	return nil
}
