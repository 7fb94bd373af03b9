package embedded

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/embedded"
	"github.com/operator-tracing/sandbox/sandbox/embedded/detour"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// Status examines the processes first: their services need the API server.
func (c *Cluster) Status(ctx context.Context, s *provider.Status) error {
	s.Cluster, s.Images, s.Kubeconfig, s.Jaeger = component.Embedded, c.session.Record.Images, c.session.Dir.Kubeconfig(), c.Addresses()
	running, err := c.Cluster.Status()
	if err != nil {
		return err
	}
	alive := stopped(running)
	if alive == nil {
		alive = c.answers(ctx)
	}
	s.Ask(ctx, component.On(component.Embedded), func(ctx context.Context, part component.Component) provider.Component {
		shown := processesOf(part, running)
		if alive == nil {
			c.askService(ctx, &shown)
		} else if shown.Message == "" {
			shown.Message = "the API server does not answer: " + alive.Error()
		}
		shown.Ready = shown.Message == ""
		return shown
	})
	if alive != nil && !slices.ContainsFunc(running, func(p embedded.Status) bool { return p.PID != 0 }) {
		s.Message = "none of its processes runs" + s.Remedy() // For example after a reboot.
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, provider.AskLimit)
	defer cancel()
	if target, err := c.session.Target(); alive == nil && err == nil {
		s.Node, _ = provider.NodeOf(ctx, target, "") // The component node reports a missing node.
		s.Notice(ctx, target, c.session.Record.IgnoredFailures)
	}
	s.Judge()
	return nil
}

// stopped returns an error if the API server or etcd does not run. Without etcd, each request to the API
// server takes until its time limit.
func stopped(running []embedded.Status) error {
	for _, p := range running {
		if message, _, _ := strings.Cut(p.Message, ";"); message != "" && (p.Name == component.Etcd || p.Name == component.APIServer) {
			return errors.New(p.Name + " " + message)
		}
	}
	return nil
}

// answers returns nil if the API server is ready. It repeats a request that takes too long, because an
// overloaded machine can be the reason.
func (c *Cluster) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, provider.AskLimit)
	defer cancel()
	err := c.Alive(ctx)
	for errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = c.Alive(ctx)
	}
	return err
}

// processesOf returns a component with its processes, and with the reason why one does not run.
func processesOf(part component.Component, running []embedded.Status) provider.Component {
	c := provider.Component{Name: part.Name}
	wanted := component.NamesOf(part.Main())
	var dead, digests []string
	for _, p := range running {
		if !slices.Contains(wanted, p.Name) {
			continue
		}
		if digest := build.KeyOfProgram(p.Program); digest != "" && !slices.Contains(digests, digest) {
			digests = append(digests, digest)
		}
		if p.Message != "" {
			dead = append(dead, p.Name+" "+p.Message)
		}
		if p.Since != nil && (c.Since == nil || p.Since.After(*c.Since)) {
			c.Since = p.Since
		}
		c.Processes = append(c.Processes, p.Process)
	}
	c.Digest = strings.Join(digests, " ")
	c.Message = strings.Join(dead, "\n")
	return c
}

// askService adds the version of a component, and the failure of its service.
func (c *Cluster) askService(ctx context.Context, shown *provider.Component) {
	target, err := c.session.Target()
	if err == nil {
		shown.Version, err = c.versionOf(ctx, target, shown.Name)
	}
	if err == nil && (shown.Name == component.Sample || shown.Name == component.Node) {
		var found workload.Status
		if found, err = workload.StatusOf(ctx, target, shown.Name); err == nil && found.Installed && shown.Since == nil {
			shown.Since = &found.Since
		}
	}
	if err == nil && shown.Name == component.Operator {
		shown.Message, err = c.behindProxy(shown.Message)
	}
	if err == nil && shown.Message == "" {
		err = workload.Serves(ctx, target, shown.Name)
	}
	if check := component.Named(shown.Name).Check; err == nil && shown.Message == "" && check != nil {
		err = check(ctx, c.Addresses())
	}
	if err != nil && shown.Message == "" {
		shown.Message = err.Error()
	}
}

// behindProxy returns a message about an operator that another command replaced or put behind a proxy,
// or else the message before.
func (c *Cluster) behindProxy(message string) (string, error) {
	left, err := detour.Left(c.session.Dir)
	holder := c.session.Dir.Holder()
	switch {
	case holder == "run":
		message = hint.Run("run") + " runs a command in its place"
	case left && holder != "":
		message = "runs behind a proxy for " + hint.Run(strings.Fields(holder)...) + ", which is in progress"
	case left:
		message = "runs behind the proxy of " + hint.Run("faults", "run") + "; if that was interrupted, " + hint.Run("up") + " restores it"
	}
	return message, err
}

func (c *Cluster) versionOf(ctx context.Context, target *apply.Cluster, name string) (string, error) {
	switch name {
	case component.Jaeger:
		return component.Named(name).Version, nil
	case component.ControlPlane:
		return c.Cluster.Version(ctx)
	}
	return workload.VersionOf(ctx, target, name)
}
