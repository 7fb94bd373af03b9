package up

import (
	"context"
	"fmt"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// existingStatus looks at what the sandbox has on an existing cluster. What does not answer becomes part of the answer.
func (r *Run) existingStatus(ctx context.Context, s Status) Status {
	t := r.Record.Target
	s.Cluster, s.Images, s.Kubeconfig, s.Context, s.Server = component.Existing, r.Record.Images, r.Dir.Kubeconfig(), t.Context, t.Server
	s.JaegerEndpoint, s.JaegerQuery = t.JaegerEndpoint, t.JaegerQuery
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	target, err := r.askExisting(ctx)
	if err != nil {
		s.Message = err.Error()
		return s
	}
	var missing []string
	for _, part := range component.On(component.Existing) {
		c := r.existingComponent(ctx, target, part.Name)
		if !c.Ready && !part.Optional {
			missing = append(missing, part.Name)
		}
		s.Components = append(s.Components, c)
	}
	s.judge(missing)
	return s
}

// askExisting makes sure that the cluster answers and is still the one that the sandbox is on.
func (r *Run) askExisting(ctx context.Context) (*apply.Cluster, error) {
	target, err := r.Target()
	if err != nil {
		return nil, err
	}
	uid, err := workload.UID(ctx, target)
	if err != nil {
		return nil, fmt.Errorf("the cluster of context %s does not answer: %w", r.Record.Target.Context, err)
	}
	if before := r.Record.Target.UID; before != "" && before != uid {
		return nil, fmt.Errorf("the context %s leads to another cluster than when the sandbox %s was made; if that cluster is gone, remove the folder %s",
			r.Record.Target.Context, r.Name, r.Dir.Path)
	}
	return target, nil
}

// existingComponent is kindComponent, but for what is the user's.
func (r *Run) existingComponent(ctx context.Context, target *apply.Cluster, name string) Component {
	t := r.Record.Target
	switch {
	case name == component.CertManager && t.CertManager != "":
		c := Component{Name: name, Version: t.CertManager + ", yours"}
		if err := workload.Serves(ctx, target, name); err != nil {
			c.Message = err.Error()
		}
		c.Ready = c.Message == ""
		return c
	case name == component.Jaeger && t.JaegerEndpoint != "":
		// Only the cluster sees its endpoint; what this machine sees is asked.
		c := Component{Name: name, Version: "yours at " + t.JaegerEndpoint, Ready: true}
		if t.JaegerQuery != "" {
			if err := r.askJaeger(ctx); err != nil {
				c.Ready, c.Message = false, err.Error()
			}
		}
		return c
	}
	return kindComponent(ctx, target, name)
}

func (r *Run) askJaeger(ctx context.Context) error {
	reader, err := r.reader(ctx)
	if err != nil {
		return err
	}
	defer reader.Close()
	_, err = reader.Services(ctx)
	return err
}
