// Package kind runs a sandbox on a node in a container engine, which kind creates.
package kind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/engine"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/provider/pods"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// Cluster implements [provider.Cluster].
type Cluster struct {
	*cluster.Cluster
	provider.Local
	pods   pods.Pods
	engine *engine.Engine
	node   cluster.Node

	mu  sync.Mutex
	has map[string]bool // the images of the node
}

var (
	_ provider.Cluster   = (*Cluster)(nil)
	_ provider.Gated     = (*Cluster)(nil)
	_ provider.Describer = (*Cluster)(nil)
)

// Find returns the cluster of a session on a container engine that works. A sandbox that is up
// keeps its engine, which only has to answer.
func Find(ctx context.Context, s *session.Session) (*Cluster, error) {
	if err := s.UseBuilder(); err != nil {
		return nil, err
	}
	engine, err := FindEngine(ctx, s)
	if err != nil {
		return nil, err
	}
	s.Builder.Arch = engine.Host.Architecture
	return newCluster(s, engine)
}

// FindEngine returns a container engine that works. If none is installed, nothing is built.
func FindEngine(ctx context.Context, s *session.Session) (*engine.Engine, error) {
	search := engine.Search{Provider: s.Provider, ContainersConf: s.Dir.ContainersConf()}
	if engine.Installed() {
		probe, err := s.Probe(ctx)
		if err != nil {
			return nil, err
		}
		cache.NoteImage(s.Builder.Cache, probe.Name())
		search.Probe = engine.Probe{Name: probe.Name(), Write: session.Archive(probe)}
	}
	if s.Record.Provider != "" && (s.Provider == "" || s.Provider == "auto") {
		search.Provider = s.Record.Provider
	}
	return engine.Detect(ctx, search)
}

// Attach returns the cluster of a session that is up.
func Attach(s *session.Session) (*Cluster, error) {
	return newCluster(s, &engine.Engine{Name: s.Record.Provider, ContainersConf: s.Record.ContainersConf})
}

// Builder returns a cluster that can only Prepare and Fetch. It needs no engine.
func Builder(s *session.Session) *Cluster { return &Cluster{pods: pods.Pods{Session: s}} }

func newCluster(s *session.Session, engine *engine.Engine) (*Cluster, error) {
	name := s.Name
	if s.Record.Name != "" {
		name = s.Record.Name
	}
	made, err := cluster.New(engine, name, s.Dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Cluster: made, Local: provider.Local{Record: &s.Record}, engine: engine, pods: pods.Pods{Session: s}}
	s.Connect(c.RESTConfig, false)
	return c, nil
}

// Engine returns the name and the architecture of the container engine.
func (c *Cluster) Engine() (name, arch string) { return c.engine.Name, c.engine.Host.Architecture }

// Images returns the images of a component that was fetched.
func (c *Cluster) Images(name string) []artifact.Image { return c.pods.Images(name) }

// Prepare selects where images come from.
func (c *Cluster) Prepare(ctx context.Context, report provider.Report) error {
	return c.pods.ChooseImages(ctx, report)
}

// Fetch gets a component's images. The control plane is in the node's.
func (c *Cluster) Fetch(ctx context.Context, part component.Component, report provider.Report) error {
	if part.Name == component.ControlPlane {
		return c.fetchNode(ctx, report)
	}
	return c.pods.Fetch(ctx, part, c.engine, true, report)
}

func (c *Cluster) fetchNode(ctx context.Context, report provider.Report) error {
	images, err := c.pods.ImageSource.Images(ctx, component.ControlPlane, report)
	if err != nil {
		return err
	}
	image := images[0]
	versions, own, err := image.NodeVersions()
	if err != nil {
		return err
	}
	c.node = cluster.Node{Image: image.Name(), Source: own, EtcdTag: versions.EtcdTag, CoreDNSTag: versions.CoreDNSTag, Tracing: c.pods.TracesControlPlane()}
	c.pods.SetImages(component.ControlPlane, images...)
	c.pods.RecordImages() // A fallback decides at the node.
	report("%s", image.Name())
	return nil
}

// Deliver loads the node's image into the engine, and other images into the node.
func (c *Cluster) Deliver(ctx context.Context, part component.Component, report provider.Report) error {
	images := c.pods.Images(part.Name)
	if part.Name != component.ControlPlane {
		return c.load(ctx, images, report)
	}
	name := images[0].Name()
	cache.NoteImage(c.pods.Builder.Cache, name)
	loaded, err := c.engine.EnsureImage(ctx, name, session.Archive(images...))
	if err != nil {
		return err
	}
	report("%s %s it", c.engine.Name, map[bool]string{true: "loaded", false: "has"}[loaded])
	return nil
}

// load streams the images into the node that it does not have.
func (c *Cluster) load(ctx context.Context, images []artifact.Image, report provider.Report) error {
	has, err := c.nodeImages(ctx)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(images), func(i artifact.Image) bool {
		return !slices.ContainsFunc(i.Names, func(name string) bool { return !has[name] })
	})
	if len(missing) == 0 {
		report("the node has them")
		return nil
	}
	if err := c.Import(ctx, session.Archive(missing...)); err != nil {
		return err
	}
	report("%d loaded", len(missing))
	return nil
}

// nodeImages lists the images that the node had at the first call. A list takes half a second, and
// components are delivered at the same time.
func (c *Cluster) nodeImages(ctx context.Context) (has map[string]bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.has == nil {
		c.has, err = c.Cluster.Images(ctx)
	}
	return c.has, err
}

// Start creates, adopts or repairs the cluster, or installs a component in it.
func (c *Cluster) Start(ctx context.Context, part component.Component, report provider.Report) error {
	if part.Name != component.ControlPlane {
		return c.pods.Start(ctx, part, report)
	}
	s := c.pods.Session
	if s.TracingSwitched {
		s.Notef("--control-plane-tracing=%t: kind's node is recreated for it, and the objects in the cluster are deleted with the old node.", s.TracesControlPlane())
	}
	outcome, err := c.Ensure(ctx, cluster.Spec{Node: c.node, Ports: s.Ports, Release: companion.GateOf(s).Stop}, &s.Record, report)
	if err != nil {
		return err
	}
	report("%s", outcome)
	return nil
}

// Config returns the configuration by which plain kind creates the same node, after Deliver of the
// control plane.
func (c *Cluster) Config() (string, error) {
	return cluster.KindConfig(c.pods.Name, c.node, *c.engine.Host, c.pods.Dir)
}

// Logs copies a log of the node or of a component.
func (c *Cluster) Logs(ctx context.Context, out io.Writer, name string, o provider.LogOptions) error {
	if slices.Contains(cluster.NodeLogs(), name) {
		if o.Previous {
			return fmt.Errorf("%w: --previous: the log of the node's %s goes on from run to run", provider.ErrLogOption, name)
		}
		built := strings.HasPrefix(c.pods.Record.NodeImage, artifact.LocalRepository)
		return c.Cluster.Logs(ctx, out, name, built, o)
	}
	target, err := c.pods.Target()
	if err != nil {
		return err
	}
	err = workload.Logs(ctx, target, out, name, o)
	if err != nil && !errors.Is(err, workload.ErrNoLog) {
		return fmt.Errorf("%w; the log of %s may still be read", err, strings.Join(cluster.NodeLogs(), ", "))
	}
	return err
}

// Down deletes the cluster.
func (c *Cluster) Down(ctx context.Context, _ provider.Report) error { return c.Delete(ctx) }
