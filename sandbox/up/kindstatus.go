package up

import (
	"context"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// repairs is what to do about a sandbox that is not whole.
const repairs = "; `make sandbox-up` repairs it"

// kindStatus looks at a kind cluster. What does not answer, or hangs, becomes part of the answer.
func (r *Run) kindStatus(ctx context.Context, s Status) Status {
	s.Cluster, s.Provider, s.Images, s.Kubeconfig = "kind", r.Record.Provider, r.Record.Images, r.Dir.Kubeconfig()
	s.Jaeger = r.Addresses()
	if r.Record.Creating {
		s.Message = "an up that made the cluster did not come to its end" + repairs
		return s
	}
	if err := r.cluster.Alive(ctx); err != nil {
		s.Message = err.Error() + repairs
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	target, err := r.Target()
	if err == nil {
		s.Node, err = nodeStatus(ctx, target, r.Record.NodeImage)
	}
	if err != nil { // It was alive a moment ago.
		s.State, s.Message = StateDegraded, err.Error()+repairs
		return s
	}
	if container, err := r.cluster.Inspect(ctx); err == nil {
		s.Node.Digest, s.Node.Since = container.Image, &container.Started
	}
	var missing []string
	for _, part := range component.On(component.Kind) {
		c := kindComponent(ctx, target, part.Name)
		if part.Name == component.ControlPlane {
			c.Version = s.Node.Kubernetes
		}
		if !c.Ready && !part.Optional {
			missing = append(missing, part.Name)
		}
		s.Components = append(s.Components, c)
	}
	s.judge(missing)
	return s
}

// kindComponent asks the API server for one component.
func kindComponent(ctx context.Context, target *apply.Cluster, name string) Component {
	c := Component{Name: name}
	if name != component.ControlPlane {
		found, err := workload.StatusOf(ctx, target, name)
		c.Version, c.Image, c.Message = found.Version, strings.Join(found.Images, " "), found.Message
		if !found.Since.IsZero() {
			c.Since = &found.Since
		}
		if err != nil {
			c.Message = err.Error()
			return c
		}
	}
	if name != component.Sample {
		pods, err := workload.Pods(ctx, target, name)
		running := workload.RunningOf(pods)
		c.Digest, c.Restarts = strings.Join(running.Digests, " "), running.Restarts
		if !running.Since.IsZero() {
			c.Since = &running.Since
		}
		switch {
		case err != nil && c.Message == "":
			c.Message = err.Error()
		case name == component.ControlPlane:
			c.Image, c.Message = strings.Join(running.Images, " "), strings.Join(running.Unready, "\n")
			if len(pods) == 0 {
				c.Message = "none of its Pods is there"
			}
		}
	}
	c.Ready = c.Message == ""
	return c
}
