// Package embedded runs a sandbox as processes of this machine: a control plane, a simulated node
// and the other components of the table.
package embedded

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/embedded"
	"github.com/operator-tracing/sandbox/sandbox/embedded/snapshot"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// Cluster implements [provider.Cluster].
type Cluster struct {
	*embedded.Cluster
	provider.Local

	session  *session.Session
	programs programs
	// origin is "source", "registry" or "bundle".
	origin string

	// paths are the programs' paths, by component and program, and version is the operator's. Fetch
	// sets them.
	paths   map[string]map[string]string
	version string
	mu      sync.Mutex

	rendered map[string]*rendered // by component

	keep *snapshot.Store // where to keep the objects of the new cluster, or nil
}

var (
	_ provider.Cluster = (*Cluster)(nil)
	_ provider.Stopper = (*Cluster)(nil)
)

// Attach returns the cluster of a session. It need not run.
func Attach(s *session.Session) (*Cluster, error) {
	cache, err := state.CachePath()
	if err != nil {
		return nil, err
	}
	processes := embedded.New(s.Dir, filepath.Join(cache, "bin"), &s.Record)
	processes.Tracing = s.TracesControlPlane()
	s.Connect(processes.RESTConfig, false)
	c := &Cluster{Cluster: processes, Local: provider.Local{Record: &s.Record}, session: s, rendered: map[string]*rendered{}}
	for _, row := range component.All() {
		c.rendered[row.Name] = &rendered{}
	}
	return c, nil
}

// New returns the cluster for an up. It returns an error if the operator cannot be a process.
func New(s *session.Session) (*Cluster, error) {
	if _, err := s.Manifests.Process(project.Place{}); err != nil {
		return nil, err
	}
	c, err := Attach(s)
	if err != nil {
		return nil, err
	}
	c.Cluster.OperatorPort = s.Manifests.WebhookPort()
	c.Cluster.Restore = c.restoreSnapshot
	c.usePrograms()
	return c, nil
}

// Prepare selects ports and creates certificates.
func (c *Cluster) Prepare(ctx context.Context, report provider.Report) error {
	record := &c.session.Record
	record.Name, record.Cluster, record.Images = c.session.Name, component.Embedded, c.origin
	if c.origin != session.FromBundle {
		record.Bundle = ""
	}
	record.OperatorEnv = c.session.OperatorEnv
	return c.Cluster.Prepare(ctx, c.session.Ports, report)
}

// Deliver defines a component's kinds. The API server delays requests for objects of a kind that
// is younger than two seconds.
func (c *Cluster) Deliver(ctx context.Context, part component.Component, _ provider.Report) error {
	rendered, err := c.render(ctx, part)
	if err != nil {
		return err
	}
	target, err := c.session.Target()
	if err != nil {
		return err
	}
	return apply.Apply(ctx, target, rendered.Definitions())
}

// render renders a component once, unless the port of its webhook changed.
func (c *Cluster) render(ctx context.Context, part component.Component) (*manifest.Component, error) {
	if part.Name != component.Operator && part.Chart == nil {
		return nil, fmt.Errorf("rendering %s: no manifests", part.Name)
	}
	return c.rendered[part.Name].get(c.Cluster.WebhookAddress(part), func(address string) (*manifest.Component, error) {
		if part.Name == component.Operator {
			return manifest.Operator(manifest.OperatorOptions{Manifests: c.session.Manifests, WebhookAddress: address, Version: c.version})
		}
		chart, err := c.session.Chart(ctx, part, nil)
		if err != nil {
			return nil, err
		}
		return manifest.FromTable(part, manifest.TableOptions{ChartDir: chart, Processes: true, WebhookAddress: address})
	})
}

// rendered is a component as it was rendered last, for one address of its webhook.
type rendered struct {
	mu        sync.Mutex
	address   string
	component *manifest.Component
}

func (r *rendered) get(address string, render func(address string) (*manifest.Component, error)) (*manifest.Component, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.component != nil && r.address == address {
		return r.component, nil
	}
	fresh, err := render(address)
	if err == nil {
		r.address, r.component = address, fresh
	}
	return fresh, err
}

// Start starts the processes of a component, or applies the sample. It fails if a process exits that
// was ready before.
func (c *Cluster) Start(ctx context.Context, part component.Component, report provider.Report) error {
	return c.Cluster.Guard(ctx, func(ctx context.Context) error { return c.start(ctx, part, report) })
}

func (c *Cluster) start(ctx context.Context, part component.Component, report provider.Report) error {
	switch part.Name {
	case component.ControlPlane:
		return c.startControlPlane(ctx, report)
	case component.Node:
		return c.startNode(ctx, report)
	case component.Jaeger:
		return c.startJaeger(ctx, report)
	case component.Operator:
		c.keepSnapshot(ctx, report)
		return c.startOperator(ctx, part, report)
	case component.Sample:
		if err := c.session.StartSample(ctx, report); err != nil {
			return err
		}
		return c.Cluster.WantAll() // A process may have crashed after its start.
	}
	return c.startWithObjects(ctx, part, func() error {
		return c.Cluster.Programs(ctx, part, c.pathsOf(part.Name), embedded.Report(report))
	}, report)
}

func (c *Cluster) startControlPlane(ctx context.Context, report provider.Report) error {
	outcome, err := c.Cluster.ControlPlane(ctx, c.pathsOf(component.ControlPlane), embedded.Report(report))
	if err != nil {
		return err
	}
	report("%s", outcome)
	target, err := c.session.Target()
	if err != nil {
		return err
	}
	return apply.FreeWebhooks(ctx, target)
}

func (c *Cluster) startNode(ctx context.Context, report provider.Report) error {
	target, err := c.session.Target()
	if err != nil {
		return err
	}
	node, err := manifest.Node()
	if err != nil {
		return err
	}
	if err := node.Apply(ctx, target); err != nil {
		return err
	}
	if err := c.Cluster.Node(ctx, c.pathsOf(component.Node)[component.Kwok], embedded.Report(report)); err != nil {
		return err
	}
	return node.Wait(ctx, target, report)
}

func (c *Cluster) startJaeger(ctx context.Context, report provider.Report) error {
	options := embedded.JaegerOptions{Program: c.pathsOf(component.Jaeger)[component.Jaeger], Password: c.session.Record.JaegerPassword}
	if !artifact.IsPublished(options.Program) {
		var err error
		if options.Page, err = session.JaegerPage(); err != nil {
			return err
		}
	}
	if err := c.Cluster.Jaeger(ctx, options, embedded.Report(report)); err != nil {
		return err
	}
	report("%s", component.Named(component.Jaeger).Version)
	return nil
}

// startWithObjects applies the objects of a component without its kinds, starts its processes, and
// waits until it serves. It repeats this if the port of the webhook was taken: the API server needs
// the new one.
func (c *Cluster) startWithObjects(ctx context.Context, part component.Component, start func() error, report provider.Report) error {
	target, err := c.session.Target()
	if err != nil {
		return err
	}
	for {
		before := c.Cluster.WebhookAddress(part)
		rendered, err := c.render(ctx, part)
		if err != nil {
			return err
		}
		if part.Name == component.Operator {
			if err := rendered.Prune(ctx, target); err != nil {
				return err
			}
		}
		if err := rendered.ApplyBeforeStart(ctx, target); err != nil {
			return err
		}
		if err := start(); err != nil {
			return err
		}
		if before != c.Cluster.WebhookAddress(part) {
			continue
		}
		if err := rendered.ApplyAfterStart(ctx, target); err != nil {
			return err
		}
		if err := rendered.Wait(ctx, target, report); err != nil {
			return err
		}
		report("%s", rendered.Version)
		return nil
	}
}

// Logs copies the log of a process.
func (c *Cluster) Logs(ctx context.Context, out io.Writer, name string, o provider.LogOptions) error {
	if o.Since > 0 {
		return fmt.Errorf("%w: --since: the logs of an embedded cluster's processes have no times in common: use --tail", provider.ErrLogOption)
	}
	return c.Cluster.Logs(ctx, out, name, o)
}

// Stop implements [provider.Stopper].
func (c *Cluster) Stop(ctx context.Context, name string) error {
	if !slices.Contains(provider.ProcessNames(), name) {
		return provider.Unknown(name, provider.ProcessNames())
	}
	return c.Cluster.Stop(ctx, name)
}

// Down ends all processes, even if the record was lost.
func (c *Cluster) Down(ctx context.Context, _ provider.Report) error { return c.Cluster.Down(ctx) }
