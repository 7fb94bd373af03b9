package pods

import (
	"context"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// Status asks the API server for one component.
// addresses are the ports that this machine reaches.
func Status(ctx context.Context, target *apply.Cluster, part component.Component, addresses provider.Addresses) provider.Component {
	name := part.Name
	c := provider.Component{Name: name}
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
				c.Message = "it has no Pods"
			}
		}
		if c.Message == "" {
			c.Message = strings.Join(running.Crashing, "\n")
		}
	}
	if c.Message == "" && part.Check != nil {
		if err := part.Check(ctx, addresses); err != nil {
			c.Message = err.Error()
		}
	}
	c.Ready = c.Message == ""
	return c
}
