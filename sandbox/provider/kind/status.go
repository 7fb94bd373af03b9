package kind

import (
	"context"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/provider/pods"
)

// Status asks the engine for the node and the API server for the components.
func (c *Cluster) Status(parent context.Context, s *provider.Status) error {
	record := c.pods.Record
	s.Cluster, s.Provider, s.Images, s.Kubeconfig = component.Kind, record.Provider, record.Images, c.pods.Dir.Kubeconfig()
	s.Jaeger = c.Addresses()
	if record.Creating {
		s.Message = "an up that created the cluster did not finish" + s.Remedy()
		return nil
	}
	if err := c.Alive(parent); err != nil {
		s.Message = err.Error() + s.Remedy()
		return nil
	}
	ctx, cancel := context.WithTimeout(parent, provider.AskLimit)
	defer cancel()
	target, err := c.pods.Target()
	if err == nil {
		s.Node, err = provider.NodeOf(ctx, target, record.NodeImage)
	}
	if err != nil { // It was alive a moment ago.
		s.State, s.Message = provider.StateDegraded, err.Error()+s.Remedy()
		return nil
	}
	if container, err := c.Inspect(ctx); err == nil {
		s.Node.Digest, s.Node.Since = container.Image, &container.Started
	}
	s.Notice(ctx, target, record.IgnoredFailures)
	s.Ask(parent, component.On(component.Kind), func(ctx context.Context, part component.Component) provider.Component {
		shown := pods.Status(ctx, target, part, s.Jaeger)
		if part.Name == component.ControlPlane {
			shown.Version = s.Node.Kubernetes
		}
		return shown
	})
	s.Judge()
	return nil
}
