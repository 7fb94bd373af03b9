package kind

import (
	"context"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/provider/pods"
)

// Status asks the engine for the node and the API server for the components.
func (c *Cluster) Status(ctx context.Context, s *provider.Status) error {
	record := c.pods.Record
	s.Cluster, s.Provider, s.Images, s.Kubeconfig = component.Kind, record.Provider, record.Images, c.pods.Dir.Kubeconfig()
	s.Jaeger = c.Addresses()
	if record.Creating {
		s.Message = "an up that created the cluster did not finish" + provider.Repairs()
		return nil
	}
	if err := c.Alive(ctx); err != nil {
		s.Message = err.Error() + provider.Repairs()
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, provider.AskLimit)
	defer cancel()
	target, err := c.pods.Target()
	if err == nil {
		s.Node, err = provider.NodeOf(ctx, target, record.NodeImage)
	}
	if err != nil { // It was alive a moment ago.
		s.State, s.Message = provider.StateDegraded, err.Error()+provider.Repairs()
		return nil
	}
	if container, err := c.Inspect(ctx); err == nil {
		s.Node.Digest, s.Node.Since = container.Image, &container.Started
	}
	for _, part := range component.On(component.Kind) {
		shown := pods.Status(ctx, target, part, s.Jaeger)
		if part.Name == component.ControlPlane {
			shown.Version = s.Node.Kubernetes
		}
		s.Components = append(s.Components, shown)
	}
	s.Notice(ctx, target)
	s.Judge()
	return nil
}
