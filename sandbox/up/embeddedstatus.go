package up

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	cluster "github.com/operator-tracing/sandbox/sandbox/embedded"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// askLimit bounds all that status asks of a cluster: one that hangs must not keep it from saying so.
const askLimit = 5 * time.Second

// embeddedStatus looks at processes first: what they serve can only be asked where the API server answers.
func (r *Run) embeddedStatus(ctx context.Context, s Status) (Status, error) {
	s.Cluster, s.Images, s.Kubeconfig, s.Jaeger = component.Embedded, r.Record.Images, r.Dir.Kubeconfig(), r.Addresses()
	running, err := r.processes.Status()
	if err != nil {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	alive := r.processes.Alive(ctx)
	var missing []string
	for _, part := range component.On(component.Embedded) {
		c := processesOf(part, running)
		if alive == nil {
			r.askService(ctx, &c)
		} else if c.Message == "" {
			c.Message = "the API server does not answer: " + alive.Error()
		}
		c.Ready = c.Message == ""
		if !c.Ready && !part.Optional {
			missing = append(missing, part.Name)
		}
		s.Components = append(s.Components, c)
	}
	if alive != nil && !slices.ContainsFunc(running, func(p cluster.Status) bool { return p.PID != 0 }) {
		s.Message = "none of its processes runs; `make sandbox-up` repairs it" // After a reboot, for one.
		return s, nil
	}
	if target, err := r.Target(); alive == nil && err == nil {
		s.Node, _ = nodeStatus(ctx, target, "") // A node that is missing is named by its component.
	}
	s.judge(missing)
	return s, nil
}

// processesOf is a component with its processes, and why one of them does not run.
func processesOf(part component.Component, running []cluster.Status) Component {
	c := Component{Name: part.Name}
	wanted := component.NamesOf(part.Main())
	var dead, digests []string
	for _, p := range running {
		if !slices.Contains(wanted, p.Name) {
			continue
		}
		shown := Process{Name: p.Name, PID: p.PID, Log: p.Log}
		if digest := build.KeyOfProgram(p.Program); digest != "" && !slices.Contains(digests, digest) {
			digests = append(digests, digest)
		}
		if p.Message != "" {
			dead = append(dead, p.Name+" "+p.Message)
		}
		if p.PID != 0 {
			shown.Since = &p.Since
			if c.Since == nil || p.Since.After(*c.Since) {
				c.Since = &p.Since
			}
		}
		c.Processes = append(c.Processes, shown)
	}
	c.Digest = strings.Join(digests, " ")
	c.Message = strings.Join(dead, "\n")
	return c
}

// askService completes a component by its version, and by what is wrong with its service.
func (r *Run) askService(ctx context.Context, c *Component) {
	target, err := r.Target()
	if err == nil {
		c.Version, err = r.versionOf(ctx, target, c.Name)
	}
	if err == nil && (c.Name == component.Sample || c.Name == component.Node) {
		var found workload.Status
		if found, err = workload.StatusOf(ctx, target, c.Name); err == nil && found.Installed && c.Since == nil {
			c.Since = &found.Since
		}
	}
	if err == nil && c.Message == "" {
		err = workload.Serves(ctx, target, c.Name)
	}
	if err == nil && c.Name == component.Jaeger {
		err = r.processes.JaegerAnswers(ctx) // The API server knows nothing of it.
	}
	if err != nil && c.Message == "" {
		c.Message = err.Error()
	}
}

func (r *Run) versionOf(ctx context.Context, target *apply.Cluster, name string) (string, error) {
	switch name {
	case component.Jaeger:
		return "v" + artifact.JaegerVersion, nil
	case component.ControlPlane:
		return r.processes.Version(ctx)
	default:
		return workload.VersionOf(ctx, target, name)
	}
}
