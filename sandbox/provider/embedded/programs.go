package embedded

import (
	"context"
	"maps"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/embedded"
	"github.com/operator-tracing/sandbox/sandbox/faults/leftover"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
)

// programs provides the components as programs of this machine: *build.Programs or *bundle.Bundle.
type programs interface {
	Paths(context.Context, component.Component, artifact.Report) (map[string]string, error)
	Operator(context.Context, build.Program, artifact.Report) (path, version string, err error)
}

// Builder returns a cluster that can only Fetch, from the origin in the options.
func Builder(s *session.Session) *Cluster {
	c := &Cluster{session: s}
	c.usePrograms()
	return c
}

// Programs returns the paths of the programs that were fetched, by component and name.
func (c *Cluster) Programs() map[string]map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.paths)
}

func (c *Cluster) usePrograms() {
	s := c.session
	if bundled := s.BundledPrograms(); bundled != nil {
		c.programs, c.origin = bundled, session.FromBundle
		return
	}
	built := build.NewPrograms(s.Builder)
	c.programs, c.origin = built, "source"
	if s.Images == "source" {
		return
	}
	built.Published = artifact.NewRegistry(s.Builder.Cache, "", s.Builder.Mirror)
	// A sandbox that is up keeps to the registry.
	if s.Images == "registry" || s.Images == "auto" && s.Record.Images == "registry" {
		built.PublishedOnly, c.origin = true, "registry"
	}
}

// Fetch gets a component's programs.
func (c *Cluster) Fetch(ctx context.Context, part component.Component, report provider.Report) (err error) {
	var paths map[string]string
	if part.Name == component.Operator {
		paths, err = c.buildOperator(ctx, report)
	} else {
		paths, err = c.programs.Paths(ctx, part, report)
	}
	if err == nil && part.Chart != nil && c.Cluster != nil {
		// Deliver would render it when the API server is ready, on the critical path. It also reports
		// the error.
		_, _ = c.render(ctx, part)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paths == nil {
		c.paths = map[string]map[string]string{}
	}
	c.paths[part.Name] = paths
	return err
}

func (c *Cluster) buildOperator(ctx context.Context, report provider.Report) (map[string]string, error) {
	if _, err := c.session.Manifests.Process(project.Place{}); err != nil {
		return nil, err
	}
	path, version, err := c.programs.Operator(ctx, c.session.Program(), report)
	c.version = version
	return map[string]string{component.Operator: path}, err
}

func (c *Cluster) pathsOf(name string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paths[name]
}

// startOperator starts the operator, and deletes what an interrupted `faults run` left.
func (c *Cluster) startOperator(ctx context.Context, part component.Component, report provider.Report) error {
	err := c.startWithObjects(ctx, part, func() error {
		return c.Cluster.Operator(ctx, embedded.OperatorOptions{
			Program: c.pathsOf(part.Name)[component.Operator], Process: c.session.Manifests.Process, Env: c.session.OperatorEnvironment(),
		}, embedded.Report(report))
	}, report)
	if err != nil {
		return err
	}
	target, err := c.session.Target()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, leftoverLimit)
	defer cancel()
	if err := leftover.Delete(ctx, target.Client()); err != nil {
		c.session.Notef(" ! %v", err)
	}
	return nil
}

// leftoverLimit is the time limit for the deletion of namespaces, which finalizers can delay.
const leftoverLimit = 30 * time.Second
