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

// Factory creates the provider of one kind of cluster.
type Factory struct {
	// Attach returns the cluster that is on record.
	Attach func(*session.Session) (provider.Cluster, error)
	// Choose returns a cluster for an up.
	Choose func(context.Context, *session.Session, report) (provider.Cluster, error)
	// Load returns a cluster that is up for a new build of its operator.
	Load func(context.Context, *session.Session, report) (provider.Cluster, error)
	// Clean removes the remains of a sandbox without a record. It is nil if there are none on this machine.
	Clean func(context.Context, *session.Session) error
}

// Providers is the table of providers by kind of cluster.
func Providers() map[string]Factory {
	return map[string]Factory{
		component.Kind: {
			Attach: func(s *session.Session) (provider.Cluster, error) { return kind.Attach(s) },
			Choose: func(ctx context.Context, s *session.Session, report report) (provider.Cluster, error) {
				c, err := kind.Find(ctx, s)
				if err != nil {
					return nil, err
				}
				name, arch := c.Engine()
				report("kind, as %s works here (linux/%s)", name, arch)
				return c, nil
			},
			Load: func(ctx context.Context, s *session.Session, _ report) (provider.Cluster, error) {
				return kind.Find(ctx, s)
			},
			Clean: cleanKind,
		},
		component.Embedded: {
			Attach: func(s *session.Session) (provider.Cluster, error) { return embedded.Attach(s) },
			Choose: func(_ context.Context, s *session.Session, report report) (provider.Cluster, error) {
				report("embedded: processes of this machine")
				return embedded.New(s)
			},
			Load: func(ctx context.Context, s *session.Session, report report) (provider.Cluster, error) {
				c, err := embedded.New(s)
				if err == nil {
					err = c.Prepare(ctx, report)
				}
				return c, err
			},
			Clean: func(ctx context.Context, s *session.Session) error {
				c, err := embedded.Attach(s)
				if err != nil {
					return err
				}
				return c.Down(ctx, nil)
			},
		},
		component.Existing: {
			Attach: func(s *session.Session) (provider.Cluster, error) { return existing.Attach(s), nil },
			Choose: func(ctx context.Context, s *session.Session, report report) (provider.Cluster, error) {
				return existing.New(ctx, s, report)
			},
			Load: func(ctx context.Context, s *session.Session, report report) (provider.Cluster, error) {
				return existing.Load(ctx, s, report)
			},
		},
	}
}

// cleanKind deletes clusters that carry the mark of the sandbox, in all engines that work.
func cleanKind(ctx context.Context, s *session.Session) error {
	for _, engine := range engine.RunningEngines(ctx) {
		c, err := cluster.New(engine, s.Name, s.Dir)
		if err != nil {
			return err
		}
		err = c.Delete(ctx)
		if _, foreign := errors.AsType[*cluster.ForeignError](err); err != nil && !foreign {
			return err
		}
	}
	return nil
}
