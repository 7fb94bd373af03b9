package existing

import (
	"context"
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/provider/pods"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// Status asks the API server for the sandbox's components.
func (c *Cluster) Status(ctx context.Context, s *provider.Status) error {
	record := c.session.Record
	t := record.Target
	s.Cluster, s.Images, s.Kubeconfig, s.Context, s.Server = component.Existing, record.Images, c.session.Dir.Kubeconfig(), t.Context, t.Server
	s.JaegerEndpoint, s.JaegerQuery = t.JaegerEndpoint, t.JaegerQuery
	soon, cancel := context.WithTimeout(ctx, provider.AskLimit)
	defer cancel()
	target, err := c.ask(soon)
	if err != nil {
		s.Message = err.Error()
		return nil
	}
	s.Ask(ctx, component.On(component.Existing), func(ctx context.Context, part component.Component) provider.Component {
		return c.status(ctx, target, part)
	})
	s.Judge()
	return nil
}

// ask makes sure that the API server answers and is still the sandbox's.
func (c *Cluster) ask(ctx context.Context) (*apply.Cluster, error) {
	target, err := c.session.Target()
	if err != nil {
		return nil, err
	}
	record := c.session.Record
	uid, err := workload.UID(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("the cluster of context %s does not answer: %w", record.Target.Context, err)
	}
	if before := record.Target.UID; before != "" && before != uid {
		return nil, fmt.Errorf("the context %s leads to another cluster than when the sandbox %s was made; if that cluster is gone, remove the folder %s",
			record.Target.Context, c.session.Name, c.session.Dir.Path)
	}
	return target, nil
}

func (c *Cluster) status(ctx context.Context, target *apply.Cluster, part component.Component) provider.Component {
	name := part.Name
	t := c.session.Record.Target
	switch {
	case t.Found[name] != "":
		shown := provider.Component{Name: name, Version: t.Found[name] + ", yours"}
		if err := workload.Serves(ctx, target, name); err != nil {
			shown.Message = err.Error()
		}
		shown.Ready = shown.Message == ""
		return shown
	case name == component.Jaeger && t.JaegerEndpoint != "":
		// Only the cluster reaches its endpoint. This machine asks its query URL.
		shown := provider.Component{Name: name, Version: "yours at " + t.JaegerEndpoint, Ready: true}
		if t.JaegerQuery != "" {
			if err := askJaeger(ctx, t.JaegerQuery); err != nil {
				shown.Ready, shown.Message = false, err.Error()
			}
		}
		return shown
	}
	return pods.Status(ctx, target, part, c.Addresses())
}

func askJaeger(ctx context.Context, url string) error {
	reader, err := jaeger.Dial(url)
	if err != nil {
		return err
	}
	defer reader.Close()
	_, err = reader.Services(ctx)
	return err
}
